# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to the files, and when the server is reloaded or restarted; real servers are in the scenario `data`."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.evenkeel.fleet.plugins.modules import postgres_config

from .conftest import Run

RUNNING = {"max_connections": 200}
CALM = {"stale": False, "loaded": "once", "pending": [], "unit": False, "empty": False, "running": RUNNING}


class Server:
    """Answers with its state, and refuses rules in which it finds the word bad."""

    def __init__(self, root: Path) -> None:
        self.rules = root / "postgresql/17/main/pg_hba.conf"
        self.state: dict[str, t.Any] = dict(CALM)
        self.reloads = 0
        self.bounds: dict[str, int] = {}

    def ask(self, script: str) -> list[t.Any]:
        if script == postgres_config.REFUSED_RULES:
            lines = enumerate(self.rules.read_text().splitlines(), start=1)
            return [{"line": number, "error": "no good"} for number, line in lines if "bad" in line]
        if "pg_reload_conf" in script:
            self.reloads += 1
            self.state.update(stale=False, loaded=f"{self.reloads} times more")
            return [True]
        return [self.state]

    def complaints(self) -> list[str]:
        return ["no such library", "no such library either"]


class Host:
    def __init__(self, root: Path, run: Run, server: Server, told: list[tuple[str, ...]]) -> None:
        self.root, self.run, self.server, self.told = root, run, server, told
        self.directory = root / "postgresql/17/main"

    def configure(self, rule: str = "host all ann all scram-sha-256", **how: t.Any) -> dict[str, t.Any]:
        given = {"settings": {"work_mem": "8MB"}, "own_rules": [rule], "unit": "[Service]\n", **how}
        return self.run(postgres_config, cluster="17/main", **given)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.root.rglob("*") if path.is_file() and "started" not in str(path))


@pytest.fixture
def host(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Host:
    server, told = Server(tmp_path), []
    (tmp_path / "postgresql/17/main/conf.d").mkdir(parents=True)
    server.rules.write_text("as Debian made it\n")

    def restart(unit: str) -> None:
        told.append(("restart", unit))
        server.state.update(pending=[], unit=False)

    systemd = postgres_config._systemd
    monkeypatch.setattr(systemd, "daemon_reload", lambda: told.append(("daemon-reload",)))
    monkeypatch.setattr(systemd, "restart", restart)
    monkeypatch.setattr(postgres_config, "CONFIGURATION", str(tmp_path / "postgresql"))
    monkeypatch.setattr(postgres_config, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(postgres_config, "STARTED", str(tmp_path / "started"))
    monkeypatch.setattr(postgres_config, "Server", lambda cluster: server)
    # Only root may give files away.
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    monkeypatch.setattr(postgres_config.grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=0))
    monkeypatch.setattr(postgres_config.Config, "refused_settings", lambda config: [])
    monkeypatch.setattr(postgres_config.Config, "bounds", lambda config: server.bounds)
    return Host(tmp_path, run, server, told)


FILES = ["50-evenkeel.conf", "evenkeel.conf", "pg_hba.conf"]


def test_new_files_are_written_and_loaded_once(host: Host) -> None:
    result = host.configure()
    assert (result["changed"], result["pending_restart"], result["restarted"]) == (True, [], False)
    assert (host.names, host.server.reloads) == (FILES, 1)
    assert not host.configure()["changed"]
    assert host.server.reloads == 1


def test_a_server_that_is_behind_its_files_is_reloaded(host: Host) -> None:
    host.configure()
    host.server.state["stale"] = True
    assert host.configure()["changed"]
    assert host.server.reloads == 2


def test_refused_rules_are_taken_back(host: Host) -> None:
    host.configure()
    before = host.server.rules.read_text()
    result = host.configure("host all bad all scram-sha-256", settings={"work_mem": "9MB"})
    assert "postgres_hba[0]: no good" in result["msg"]
    assert host.server.rules.read_text() == before
    assert "8MB" in (host.directory / "conf.d/50-evenkeel.conf").read_text()
    assert (host.names, host.server.reloads) == (FILES, 1)


def test_rules_that_are_wrong_at_a_glance_are_never_written(host: Host) -> None:
    assert "192.0.2.0/42 is no network" in host.configure("host all ann 192.0.2.0/42 scram-sha-256")["msg"]
    assert host.server.rules.read_text() == "as Debian made it\n"


def test_a_run_that_was_cut_off_is_made_up_for(host: Host) -> None:
    host.configure()
    host.server.rules.rename(f"{host.server.rules}{postgres_config.BEFORE}")
    host.server.rules.write_text("bad")
    assert host.configure()["changed"]
    assert "ann" in host.server.rules.read_text()
    assert host.names == FILES


def test_check_mode_writes_nothing(host: Host) -> None:
    assert host.configure(check=True)["changed"]
    assert (host.names, host.told) == (["pg_hba.conf"], [])


def test_what_wants_a_restart_waits_until_somebody_allows_it(host: Host) -> None:
    host.configure()
    host.server.state["pending"] = ["max_connections"]
    result = host.configure()
    assert (result["changed"], result["pending_restart"]) == (False, ["max_connections"])
    result = host.configure(restart="now")
    assert (result["changed"], result["pending_restart"], result["restarted"]) == (True, [], True)


def test_a_server_without_databases_restarts_at_once(host: Host) -> None:
    host.server.state.update(unit=True, empty=True)
    assert host.configure()["restarted"]
    assert ("restart", "postgresql@17-main") in host.told


def test_a_server_that_does_not_start_gets_back_what_it_ran_with(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.configure()
    answers = iter([False, True])
    monkeypatch.setattr(postgres_config.Config, "answers", lambda config: next(answers))
    host.server.state["pending"] = ["shared_preload_libraries"]
    # Written by one run, restarted by the next.
    host.configure(settings={"shared_preload_libraries": "none_such"})
    result = host.configure(settings={"shared_preload_libraries": "none_such"}, restart="now")
    assert "does not start with its new settings, it runs again with those before: no such library" in result["msg"]
    assert "8MB" in (host.directory / "conf.d/50-evenkeel.conf").read_text()


def test_more_memory_than_the_host_has_is_refused(host: Host) -> None:
    assert "postgres_memory is" in host.configure(memory=1 << 60)["msg"]
    assert host.names == ["pg_hba.conf"]


def test_a_replica_keeps_what_its_primary_has_instead_of_less(host: Host) -> None:
    host.server.bounds = {"max_connections": 200}
    result = host.configure(settings={"max_connections": 100}, restart="now")
    assert (result["held"], result["restarted"]) == (["max_connections"], False)
    assert "max_connections = '200'" in (host.directory / "conf.d/50-evenkeel.conf").read_text()
    assert not host.configure(settings={"max_connections": 100})["changed"]


def test_a_replica_waits_for_its_primary_to_have_less(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = iter([{"max_connections": 200}, {"max_connections": 200}, {"max_connections": 100}])
    monkeypatch.setattr(postgres_config.Config, "bounds", lambda config: next(heard))
    monkeypatch.setattr(postgres_config.time, "sleep", lambda seconds: None)
    result = host.configure(settings={"max_connections": 100}, patience=60)
    assert result["held"] == []
    assert "max_connections = '100'" in (host.directory / "conf.d/50-evenkeel.conf").read_text()


def test_a_primary_does_not_overtake_its_replicas(host: Host) -> None:
    host.server.state["pending"] = ["max_connections"]
    given: dict[str, t.Any] = {"settings": {"max_connections": 300}, "restart": "now"}
    said = host.configure(**given, replicas={"db3": {"max_connections": 200}})["msg"]
    assert "max_connections is 300, and db3, which copies this server, runs with 200 and would stop" in said
    assert ("restart", "postgresql@17-main") not in host.told
    assert host.configure(**given, replicas={"db3": {"max_connections": 300}})["restarted"]
