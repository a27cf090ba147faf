# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._status import status_lines

NEW = "1.1.0-bbbbbbbbbbbb"
OLD = "1.0.0-aaaaaaaaaaaa"
EMPTY = {"release": "", "since": ""}


def seen(**changes: t.Any) -> dict[str, t.Any]:
    return {
        "service": "notes",
        "slots": {"blue": EMPTY, "green": {"release": NEW, "since": "Sat 2026-01-03"}},
        "switch": "green",
        "ready": True,
        "answer": "GET / answered 200",
        "lease": {},
        "journal": [],
        **changes,
    }


def test_a_healthy_host_is_one_line() -> None:
    heading, line, *_rest = status_lines({"app1": seen()})
    assert heading.split() == ["host", "service", "release", "slot", "since", "ready", "switch", "note"]
    assert line.split() == ["app1", "notes", NEW, "green", "Sat", "2026-01-03", "yes", "green"]


def test_what_is_not_as_it_should_be_is_said() -> None:
    slots = {"blue": {"release": OLD, "since": ""}, "green": {"release": NEW, "since": ""}}
    lease = {"rollout": "r1", "owner": "ann@control", "live": False}
    lines = status_lines(
        {
            "app1": seen(slots=slots, ready=False, answer="GET /ready answered 503", lease=lease),
            "app2": seen(switch="closed"),
            "app3": None,
        }
    )
    assert "no     green" in lines[1]
    assert (
        "GET /ready answered 503; 1.0.0-aaaaaaaaaaaa in slot blue as well; rollout r1 of ann@control abandoned"
        in lines[1]
    )
    assert lines[2].split()[:3] == ["app2", "notes", "nothing"]
    assert lines[3].split() == ["app3", "unreachable"]


def test_a_rollout_in_progress_is_not_called_abandoned() -> None:
    lease = {"rollout": "r1", "owner": "ann@control", "live": True}
    assert status_lines({"app1": seen(lease=lease)})[1].endswith("rollout r1 of ann@control in progress")


def test_a_rollout_of_many_hosts_is_one_line_of_history() -> None:
    kept = {"at": 0, "rollout": "r1", "owner": "ann", "from": OLD, "to": NEW, "outcome": "kept", "seconds": 9.6}
    ended = {"at": 60, "rollout": "r2", "owner": "bob", "outcome": "abandoned", "seconds": 3.0}
    lines = status_lines({"app1": seen(journal=[kept, ended]), "app2": seen(journal=[kept])})
    assert lines[-2:] == [
        f"1970-01-01 00:00:00Z  ann  {OLD} -> {NEW}  kept on every host in 10 s",
        "1970-01-01 00:01:00Z  bob  r2  abandoned on app1 in 3 s",
    ]
