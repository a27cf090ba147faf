# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How logs are rotated that their programs open anew, and those that they cannot."""

from __future__ import annotations

import pytest
import rendering

LOGS = [
    {"name": "notes", "paths": ["/var/log/notes/*.log"], "owner": "notes", "signal_unit": "notes@*.service"},
    {"name": "stubborn", "paths": ["/var/log/stubborn.log"], "copytruncate": True},
]


def entries() -> list[list[str]]:
    text = rendering.Role("logrotate").template("etc/logrotate.d/evenkeel.j2", logrotate_logs=LOGS)
    return [[line.strip() for line in entry.splitlines()] for entry in text.split("\n{\n")[1:]]


def test_a_fresh_file_and_a_signal_are_the_rule() -> None:
    reopened, _truncated = entries()
    assert "create 0640 notes adm" in reopened
    assert "systemctl kill --signal=HUP --kill-whom=main 'notes@*.service'" in reopened
    assert "copytruncate" not in reopened


def test_truncation_is_by_request_alone_and_warned_of() -> None:
    _reopened, truncated = entries()
    assert "copytruncate" in truncated
    assert not [line for line in truncated if line.startswith("create")]
    assert list(rendering.Role("logrotate").evaluate("__logrotate_lossy", logrotate_logs=LOGS)) == ["stubborn"]


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({}, ["notes"]),
        ({"signal_unit": "notes@*.service", "copytruncate": True}, ["notes"]),
        ({"signal_unit": "notes@*.service"}, []),
        ({"copytruncate": True}, []),
    ],
)
def test_a_program_is_told_of_the_fresh_file_or_keeps_its_own(settings: dict[str, object], refused: list[str]) -> None:
    logs = [{"name": "notes", "paths": ["/var/log/notes/*.log"], **settings}]
    assert list(rendering.Role("logrotate").evaluate("__logrotate_undecided", logrotate_logs=logs)) == refused
