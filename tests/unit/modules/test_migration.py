# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _installed, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.modules import migration

ID = "1.1.0-0123456789ab"
WANTED = {"service": "notes", "release": ID, "command": ["notes", "migrate"]}
UNIT = "notes-migration.service"


class Systemd:
    """Ends each unit that is started as the test wants; ``at_work`` is what an earlier run left."""

    def __init__(self, file: Path) -> None:
        self.file, self.ends, self.at_work = file, {"ActiveState": "inactive", "Result": "success"}, False
        self.asked: list[str] = []
        self.ran = ""

    def show(self, *_units: str) -> list[dict[str, str]]:
        return [{"ActiveState": "activating"} if self.at_work else self.ends]

    def start(self, unit: str) -> None:
        self.asked.append("join" if self.at_work else "start")
        self.ran = self.file.read_text() if self.file.exists() else ""
        if not self.at_work and self.ends["Result"] != "success":
            raise OSError(f"systemctl start -- {unit} failed")
        self.at_work = False


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    file = tmp_path / UNIT
    systemd = Systemd(file)
    monkeypatch.setattr(Layout, "migration_file", str(file))
    monkeypatch.setattr(Layout, "state", str(tmp_path / "state"))
    home = tmp_path / "releases" / ID
    home.mkdir(parents=True)
    (home / "notes@.service").write_text("[Unit]\n[Service]\nUser=notes\n")
    monkeypatch.setattr(_installed, "is_whole", lambda _layout, release: release == ID)
    for name in ("show", "start"):
        monkeypatch.setattr(_systemd, name, getattr(systemd, name))
    monkeypatch.setattr(_systemd, "daemon_reload", lambda: systemd.asked.append("reload"))
    monkeypatch.setattr(_systemd, "forget_failure", lambda _unit: systemd.asked.append("forget"))
    monkeypatch.setattr(_systemd, "journal", lambda *_arguments: ["connecting", "the last line"])
    return systemd


@pytest.fixture
def wanted(tmp_path: Path) -> dict[str, t.Any]:
    return {**WANTED, "root": str(tmp_path)}


def test_a_migration_leaves_no_unit_behind(run: t.Any, systemd: Systemd, wanted: dict[str, t.Any]) -> None:
    result = run(migration, **wanted)
    assert (result["changed"], result["journal"]) == (True, ["connecting", "the last line"])
    assert systemd.asked == ["reload", "start", "forget", "reload"]
    assert "/artifact/notes migrate\n" in systemd.ran
    assert not systemd.file.exists()


def test_a_migration_that_fails_says_how(run: t.Any, systemd: Systemd, wanted: dict[str, t.Any]) -> None:
    systemd.ends = {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "3"}
    result = run(migration, **wanted)
    assert result["failed"]
    assert result["msg"] == f"migration notes migrate of {ID} failed, exit status 3: the last line"
    assert result["journal"] == ["connecting", "the last line"]
    assert not systemd.file.exists()


def test_a_migration_that_an_earlier_run_left_is_waited_for(
    run: t.Any, systemd: Systemd, wanted: dict[str, t.Any]
) -> None:
    systemd.at_work = True
    assert run(migration, **wanted)["changed"]
    assert systemd.asked[:3] == ["join", "reload", "start"]


def test_check_mode_runs_nothing(run: t.Any, systemd: Systemd, wanted: dict[str, t.Any]) -> None:
    assert run(migration, check=True, **wanted)["changed"]
    assert systemd.asked == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"release": "9.9.9-0123456789ab"}, "is not staged, or not whole"),
        ({"command": []}, "command is empty"),
        ({"rollout": "lost"}, "rollout lost does not hold the lease any more"),
    ],
)
def test_what_cannot_be(
    run: t.Any, systemd: Systemd, wanted: dict[str, t.Any], arguments: dict[str, t.Any], complaint: str
) -> None:
    result = run(migration, **{**wanted, **arguments})
    assert result["failed"]
    assert complaint in result["msg"]
    assert systemd.asked == []
