# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to the files, and when pgbouncer reads or restarts; real ones are in the scenario `data`."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._scram import verifier
from ansible_collections.evenkeel.fleet.plugins.modules import pgbouncer

from .conftest import Run

SETTINGS = "[databases]\n[pgbouncer]\nlisten_backlog = 128\n"
RULES = "host all ann all scram-sha-256\n"


class Server:
    """Knows its users' passwords, or hears of them only when it is asked again."""

    def __init__(self) -> None:
        self.verifiers = {"ann": verifier("right", b"salt")}
        self.late = 0

    def ask(self, _script: str) -> list[t.Any]:
        self.late -= 1
        return [None if self.late >= 0 else self.verifiers]


class Host:
    def __init__(self, root: Path, run: Run) -> None:
        self.root, self.run, self.server = root, run, Server()
        self.told: list[str] = []
        self.refuses = ""

    def configure(self, check: bool = False, **how: t.Any) -> dict[str, t.Any]:
        users = [{"name": "ann", "password": "right"}]
        given = {"settings": SETTINGS, "rules": RULES, "users": users, "unit": "[Service]\n", **how}
        return self.run(pgbouncer, check=check, cluster="17/main", **given)

    def daemon_reload(self) -> None:
        self.told.append("daemon-reload")

    def start(self, _unit: str) -> None:
        self.told.append("restart")
        (self.root / "pid").write_text("")

    def console(self, command: str, _directory: str = "") -> list[list[str]]:
        if command == "RELOAD":
            self.told.append("reload")
        return [["listen_backlog", "128", "128", "no"]] if command == "SHOW CONFIG" else []

    def try_out(self, _files: t.Any) -> None:
        self.told.append("trial")
        if self.refuses:
            raise ValueError(self.refuses)


@pytest.fixture
def host(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, run)
    for name in ("SETTINGS", "RULES", "USERS"):
        monkeypatch.setattr(pgbouncer.texts, name, str(tmp_path / name))
    monkeypatch.setattr(pgbouncer, "UNIT", str(tmp_path / "unit"))
    monkeypatch.setattr(pgbouncer, "PID", str(tmp_path / "pid"))
    monkeypatch.setattr(pgbouncer, "APPLIED", str(tmp_path / "applied"))
    monkeypatch.setattr(pgbouncer, "Server", lambda cluster: made.server)
    monkeypatch.setattr(pgbouncer._pooler, "console", made.console)
    monkeypatch.setattr(pgbouncer._pooler, "try_out", made.try_out)
    monkeypatch.setattr(pgbouncer.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(pgbouncer._systemd, "daemon_reload", made.daemon_reload)
    monkeypatch.setattr(pgbouncer._systemd, "restart", made.start)
    # Only root may give files away.
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    monkeypatch.setattr(pgbouncer.grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=0))
    return made


def test_it_begins_with_files_of_ours_and_is_then_left_alone(host: Host) -> None:
    result = host.configure()
    assert (result["changed"], result["restarted"], result["pending_restart"]) == (True, True, [])
    assert host.told == ["trial", "daemon-reload", "restart"]
    assert (host.root / "USERS").read_text() == f'"ann" "{host.server.verifiers["ann"]}"\n'
    assert (host.root / "USERS").stat().st_mode & 0o777 == 0o640
    assert not host.configure()["changed"]
    assert len(host.told) == 3


def test_new_files_are_tried_out_and_then_read(host: Host) -> None:
    host.configure()
    result = host.configure(rules=f"{RULES}host all bob all scram-sha-256\n")
    assert (result["changed"], result["restarted"]) == (True, False)
    assert host.told[3:] == ["trial", "reload"]


def test_what_is_refused_is_never_written(host: Host) -> None:
    host.configure()
    host.refuses = "no good"
    assert host.configure(rules="nonsense")["msg"] == "no good"
    assert (host.root / "RULES").read_text() == RULES
    assert "reload" not in host.told


def test_a_run_that_was_cut_off_and_a_new_certificate_are_read(host: Host) -> None:
    certificate = host.root / "certificate"
    certificate.write_text("one")
    host.configure(watch=[str(certificate)])
    certificate.write_text("two")
    assert host.configure(watch=[str(certificate)])["changed"]
    (host.root / "applied").unlink()
    assert host.configure(watch=[str(certificate)])["changed"]
    assert host.told[3:] == ["reload", "reload"]


def test_what_needs_a_restart_waits_until_one_is_allowed(host: Host) -> None:
    host.configure()
    changed = SETTINGS.replace("128", "64")
    assert host.configure(settings=changed)["pending_restart"] == ["listen_backlog"]
    assert not host.configure(settings=changed)["changed"]
    assert host.configure(settings=changed, restart=True)["restarted"]


def test_a_server_that_copies_another_is_waited_for(host: Host) -> None:
    host.server.late = 3
    assert host.configure()["changed"]
    assert "ann" in (host.root / "USERS").read_text()


def test_a_user_whom_the_server_never_hears_of_stops_the_run(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.configure()
    host.server.verifiers["ann"] = verifier("another", b"salt")
    monkeypatch.setattr(pgbouncer, "PATIENCE", 0.01)
    assert "does not have the passwords of ann as they are wanted" in host.configure()["msg"]
    assert "reload" not in host.told


def test_check_mode_predicts_and_shows_no_verifier(host: Host) -> None:
    result = host.configure(check=True)
    assert result["changed"]
    assert "SCRAM" not in str(result["diff"])
    assert host.told == []
    assert not (host.root / "USERS").exists()
