# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._systemd import PROPERTIES, is_running, parse_show

# What systemd 257 said of a unit that ran and of one that did not exist.
SHOWN = """\
MainPID=323
Result=success
NRestarts=0
ActiveState=active
SubState=running
ActiveEnterTimestamp=Sat 2026-11-21 09:05:37 UTC
InvocationID=0e9c62c720ef45a8aa64435978296ae1

MainPID=0
Result=success
NRestarts=0
ActiveState=inactive
SubState=dead
ActiveEnterTimestamp=
InvocationID=
"""


def test_parse_show() -> None:
    running, absent = parse_show(SHOWN)
    assert set(running) == set(absent) == set(PROPERTIES)
    assert (running["MainPID"], running["ActiveEnterTimestamp"]) == ("323", "Sat 2026-11-21 09:05:37 UTC")
    assert (absent["ActiveState"], absent["InvocationID"]) == ("inactive", "")


def test_values_may_hold_the_sign() -> None:
    assert parse_show("A=b=c\n") == [{"A": "b=c"}]


@pytest.mark.parametrize(
    ("state", "running"),
    [
        ("active", True),
        ("activating", True),
        ("reloading", True),
        ("deactivating", True),
        ("inactive", False),
        ("failed", False),
    ],
)
def test_is_running(state: str, running: bool) -> None:
    assert is_running({"ActiveState": state}) is running


def test_a_unit_that_nobody_knows_does_not_run() -> None:
    assert not is_running({})
