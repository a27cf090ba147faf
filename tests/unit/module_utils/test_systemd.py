# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._systemd import (
    PROPERTIES,
    is_running,
    parse_complaints,
    parse_exposure,
    parse_show,
    unit_complaints,
    unit_exposure,
)

# What systemd 257 said of a unit that ran and of one that did not exist.
SHOWN = """\
MainPID=323
Result=success
ExecMainStatus=0
MemoryCurrent=7340032
NRestarts=0
ActiveState=active
ControlGroup=/system.slice/system-notes.slice/notes@blue.service
SubState=running
ActiveEnterTimestamp=Sat 2026-11-21 09:05:37 UTC
InvocationID=0e9c62c720ef45a8aa64435978296ae1

MainPID=0
Result=success
ExecMainStatus=0
MemoryCurrent=[not set]
NRestarts=0
ActiveState=inactive
ControlGroup=
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


@pytest.mark.parametrize("root", [0, 1, 2])
def test_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: int) -> None:
    roots = [str(tmp_path / name) for name in "abc"]
    monkeypatch.setattr(_systemd, "CGROUP_ROOTS", roots)
    with pytest.raises(OSError, match=r"found no cgroup /system\.slice/notes\.service"):
        _systemd.processes("/system.slice/notes.service")
    unit = Path(f"{roots[root]}/system.slice/notes.service")
    (unit / "child").mkdir(parents=True)
    (unit / "cgroup.procs").write_text("7\n8\n")
    (unit / "child/cgroup.procs").write_text("9\n")
    assert _systemd.processes("/system.slice/notes.service") == ["7", "8", "9"]


def test_a_unit_without_a_control_group_has_no_processes() -> None:
    assert _systemd.processes("") == []


# What systemd 252 and 257 said of the same file.
VERIFIED = """\
/x/n@.service:5: Unknown key 'RestartSteps' in section [Service], ignoring.
/x/n@.service:6: Failed to parse ProtectSystem=maybe, ignoring: Invalid argument
n@test_instance.service: Command /opt/x/test_instance/y is not executable: No such file or directory
"""


def test_parse_complaints() -> None:
    assert parse_complaints("/x/n@.service", VERIFIED) == [
        "Unknown key 'RestartSteps' in section [Service], ignoring.",
        "Failed to parse ProtectSystem=maybe, ignoring: Invalid argument",
    ]


def test_parse_exposure() -> None:
    line = "\u2192 Overall exposure level for notes@i.service: 1.1 OK :-)"
    assert parse_exposure(f"  NAME DESCRIPTION EXPOSURE\n\n{line}\n") == 1.1
    assert parse_exposure("") is None


def test_systemd_of_this_machine(tmp_path: Path) -> None:
    unit = tmp_path / "notes@.service"
    unit.write_text("[Service]\nExecStart=/opt/notes/%i/notes\nPrivateTmp=true\n")
    assert unit_complaints(str(unit)) == []
    assert 8 < (unit_exposure(str(unit)) or 0) < 10
    unit.write_text("[Service]\nExecStart=/opt/notes/%i/notes\nPrivatTmp=true\n")
    (complaint,) = unit_complaints(str(unit))
    assert "PrivatTmp" in complaint


def test_the_last_lines_of_a_journal_are_asked_for_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def journalctl(command: list[str], **_more: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="third\nsecond\n", stderr="")

    monkeypatch.setattr(subprocess, "run", journalctl)
    assert _systemd.journal("notes@blue.service", 2) == ["second", "third"]
    assert "--reverse" in asked[0]
