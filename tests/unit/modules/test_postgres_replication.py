# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to a server's data, and in which order; real servers are in the scenario `data`."""

from __future__ import annotations

import os
import pwd
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.modules import postgres_replication

from .conftest import Run

CONTROL = """\
Database system identifier:           1
Database cluster state:               {state}
Latest checkpoint location:           0/3000060
Latest checkpoint's TimeLineID:       1
"""


class Machine:
    """A server and its primary, as far as they can be told from what is asked and done."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.replica = False
        self.streaming = self.recovers = True
        self.empty = True
        self.silent = False
        self.arrived = True
        self.primary_system = "1"
        self.primary_timeline = 1
        self.replayed = "0/3000060"
        self.broken = ""
        self.done: list[str] = []

    def ask(self, question: str) -> list[t.Any]:
        if "pg_promote" in question:
            self.done.append("promote")
            self.replica = False
            return [True]
        if question == "CHECKPOINT;":
            self.done.append("checkpoint")
            return []
        if "NOT pg_is_in_recovery" in question:
            return [not self.replica]
        if question == postgres_replication.REPLAYED:
            return [[self.replayed, 16 << 20, ["000000010000000000000003"]]]
        if "pg_last_wal_replay_lsn() - " in question:
            return [self.arrived]
        if question != postgres_replication.STREAMING:
            raise AssertionError(question)
        if self.silent:
            raise ValueError("the database system is not yet accepting connections")
        return [self.streaming]

    def is_replica(self) -> bool:
        if self.silent:
            raise ValueError("the database system is not yet accepting connections")
        return self.replica

    def is_empty(self) -> bool:
        if self.silent:
            raise ValueError("the database system is not yet accepting connections")
        return self.empty

    def run(self, *words: str) -> str:
        program = words[0]
        if program == self.broken:
            raise ValueError(f"{program}: it broke")
        if program == "pg_controldata":
            return CONTROL.format(state="shut down" if "stop" in self.done else "in production")
        if program == "psql":
            said = {
                "SHOW": "off",
                "IDEN": f"{self.primary_system}|{self.primary_timeline}|0/0|",
                "TIME": "00000002.history|1\t0/3000060\tno recovery target specified",
            }
            return said.get(words[3][10:14], "")
        if program == "pg_basebackup":
            fresh = Path(words[1].partition("=")[2])
            fresh.mkdir()
            (fresh / "copied").touch()
            self.streaming, self.silent = self.recovers, False
        self.done.append(program)
        return ""

    def complaints(self) -> list[str]:
        return ["no such timeline"]

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.data.iterdir())

    @property
    def directories(self) -> list[str]:
        return sorted(path.name.split("-")[0] for path in self.data.parent.iterdir() if path.is_dir())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path / "17/main")
    machine.data.mkdir(parents=True)
    (machine.data / "own").touch()
    host = postgres_replication.Host
    monkeypatch.setattr(postgres_replication, "DATA", str(tmp_path))
    monkeypatch.setattr(postgres_replication, "STATE_SECONDS", 0)
    monkeypatch.setattr(postgres_replication, "Server", lambda cluster: machine)
    monkeypatch.setattr(host, "run", staticmethod(machine.run))
    for verb in ("start", "stop"):
        monkeypatch.setattr(postgres_replication._systemd, verb, lambda _unit, verb=verb: machine.done.append(verb))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.getpwuid(os.getuid()))
    # Only root may give files away.
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    monkeypatch.setattr(os, "chown", lambda *_arguments: None)
    return machine


def follow(run: Run, machine: Machine, **how: t.Any) -> dict[str, t.Any]:
    file = f"{machine.data.parent}/pgpass"
    given = {"connection": "host=db1", "user": "follower", "password": "secret", "password_file": file, "slot": "db2"}
    return run(postgres_replication, cluster="17/main", primary="db1", **{**given, **how})


def test_an_empty_server_is_filled_and_its_own_directory_goes(run: Run, machine: Machine) -> None:
    assert follow(run, machine)["action"] == "clone"
    assert machine.done == ["pg_basebackup", "stop", "start"]
    assert (machine.files, machine.directories) == (["copied", "standby.signal"], ["main"])


def test_a_copy_that_does_not_follow_says_why_by_its_log(run: Run, machine: Machine) -> None:
    machine.streaming = machine.recovers = False
    assert "was to copy db1 within 0 s: no such timeline" in follow(run, machine)["msg"]


def test_a_copy_that_breaks_off_has_touched_nothing(run: Run, machine: Machine) -> None:
    machine.broken = "pg_basebackup"
    assert "it broke" in follow(run, machine)["msg"]
    assert (machine.files, machine.done) == (["own"], [])


def test_data_is_not_lost_unasked(run: Run, machine: Machine) -> None:
    machine.empty, machine.primary_system = False, "2"
    assert "has databases of its own" in follow(run, machine)["msg"]
    assert (machine.files, machine.done) == (["own"], [])


def test_data_that_may_be_lost_is_kept_beside(run: Run, machine: Machine) -> None:
    machine.empty, machine.primary_system = False, "2"
    assert follow(run, machine, rebuild=True)["action"] == "clone"
    assert machine.directories == ["main", "main.before"]


def test_a_former_primary_gives_up_what_it_wrote_only_when_asked(run: Run, machine: Machine) -> None:
    machine.empty = False
    assert "takes writes of its own" in follow(run, machine)["msg"]
    assert follow(run, machine, rejoin=True)["action"] == "rewind"
    assert machine.done == ["stop", "pg_rewind", "start"]
    assert machine.files == ["own", "standby.signal"]


def test_a_replica_is_left_alone(run: Run, machine: Machine) -> None:
    machine.replica = True
    assert follow(run, machine)["changed"]  # its password was new
    assert not follow(run, machine)["changed"]
    assert machine.done == []


@pytest.mark.parametrize("replayed", ["0/2000060", "0/3000060"])
def test_a_replica_that_comes_to_where_its_primary_went_on_is_left_alone(
    run: Run, machine: Machine, replayed: str
) -> None:
    machine.replica, machine.streaming, machine.empty, machine.primary_timeline = True, False, False, 2
    machine.replayed = replayed
    assert follow(run, machine)["action"] == "keep"


def test_a_replica_of_a_restored_primary_is_filled_anew_only_when_asked(run: Run, machine: Machine) -> None:
    machine.replica, machine.streaming, machine.empty, machine.primary_timeline = True, False, False, 2
    machine.replayed = "0/3000061"
    assert "this replica has copied what db1 has not" in follow(run, machine, rejoin=True)["msg"]
    assert (machine.files, machine.done) == (["own"], [])
    assert follow(run, machine, rebuild=True)["action"] == "clone"
    assert machine.directories == ["main", "main.before"]
    # In the same run as others that are filled anew, one that follows is not.
    assert follow(run, machine, rebuild=True)["action"] == "keep"


def test_a_replica_without_the_log_it_wants_is_filled_anew_when_asked(run: Run, machine: Machine) -> None:
    machine.replica, machine.streaming, machine.empty = True, False, False
    assert follow(run, machine)["action"] == "keep"
    assert follow(run, machine, rebuild=True)["action"] == "clone"


def test_a_replica_that_never_answers_is_filled_anew_when_asked(run: Run, machine: Machine) -> None:
    machine.silent = True
    (machine.data / "standby.signal").touch()
    assert "not yet accepting" in follow(run, machine)["msg"]
    assert follow(run, machine, rebuild=True)["action"] == "clone"
    assert machine.directories == ["main", "main.before"]


def test_what_never_answers_and_is_no_replica_is_left_alone(run: Run, machine: Machine) -> None:
    machine.silent = True
    assert "not yet accepting" in follow(run, machine, rebuild=True)["msg"]
    assert (machine.files, machine.done) == (["own"], [])


def test_check_mode_does_nothing(run: Run, machine: Machine) -> None:
    assert follow(run, machine, check=True)["changed"]
    assert (machine.files, machine.done, machine.directories) == (["own"], [], ["main"])


def test_a_fenced_server_says_where_its_log_ends(run: Run, machine: Machine) -> None:
    result = run(postgres_replication, cluster="17/main", state="fenced")
    assert (result["changed"], result["checkpoint"]) == (True, "0/3000060")
    assert (machine.files, machine.done) == (["own", "standby.signal"], ["stop"])


def test_a_replica_takes_over(run: Run, machine: Machine) -> None:
    machine.replica = True
    assert run(postgres_replication, cluster="17/main", state="primary", streaming="wanted")["action"] == "promote"
    # Until its new history is on disk, a former primary would take it for its own and not rewind.
    assert machine.done == ["promote", "checkpoint"]
    assert not run(postgres_replication, cluster="17/main", state="primary")["changed"]


def test_a_replica_that_hears_nothing_does_not_take_over(run: Run, machine: Machine) -> None:
    machine.replica, machine.streaming = True, False
    result = run(postgres_replication, cluster="17/main", state="primary", streaming="wanted")
    assert "does not receive anything" in result["msg"]
    assert machine.done == []


def test_nobody_takes_over_from_a_primary_that_still_writes(run: Run, machine: Machine) -> None:
    machine.replica = True
    result = run(postgres_replication, cluster="17/main", state="primary", primary="db1", streaming="lost")
    assert "receives what db1 writes, so that is not lost" in result["msg"]
    assert machine.done == []
    machine.streaming = False
    assert run(postgres_replication, cluster="17/main", state="primary", streaming="lost")["action"] == "promote"


def test_a_replica_that_has_not_everything_does_not_take_over(run: Run, machine: Machine) -> None:
    machine.replica, machine.arrived = True, False
    result = run(postgres_replication, cluster="17/main", state="primary", received="0/3000060")
    assert "have all that the former primary has written, up to 0/3000060" in result["msg"]
    assert machine.done == []
