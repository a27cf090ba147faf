# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores of directories, for real: killed, undone, and where what was live is lost."""

from __future__ import annotations

import contextlib
import shutil
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from evenkeel_backup import (
    backup,
    commands,
    exchange,
    manifest,
    outcome,
    redis,
    repository,
    restore,
    restore_directory,
    settings,
)
from evenkeel_backup.restore_report import Report, Restore

SET = "files/uploads"


def quiet(_priority: int, _message: str) -> None:
    return


@pytest.fixture
def two(here: settings.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    """A set of two directories, with a backup of both in which all is `first`, and `second` live."""
    more = tmp_path / "srv/more/deep"
    more.mkdir(parents=True)
    both = replace(here, files=(settings.Files("uploads", (*here.files[0].paths, str(more))),))
    write(both, "first")
    yesterday = time.time() - 86400
    with monkeypatch.context() as patched:
        patched.setattr(backup.time, "time", lambda: yesterday)
        backup.take(both, SET, quiet)
    write(both, "second")
    return both


def places(both: settings.Settings) -> list[Path]:
    return [Path(path) for path in both.files[0].paths]


def write(both: settings.Settings, text: str) -> None:
    for place in places(both):
        (place / "file").write_text(text)


def texts(both: settings.Settings) -> list[str]:
    """What is live at each place; nothing where nothing is."""
    files = [place / "file" for place in places(both)]
    return [file.read_text() if file.exists() else "" for file in files]


class KilledError(BaseException):
    """As good as SIGKILL: nobody handles it, though what is finally done is done."""


@pytest.mark.parametrize("step", [step for step in restore.STEPS["files"] if step != "check"])
def test_after_a_killed_restore_there_is_nothing_to_go_back_to(
    two: settings.Settings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What it has made was never live, and is perhaps half of what it should be."""

    def deadly(_context: object) -> None:
        raise KilledError

    an_hour_ago = time.time() - 3600
    with monkeypatch.context() as patched:
        patched.setattr(restore.time, "time", lambda: an_hour_ago)
        patched.setitem(restore.STEPS["files"], step, deadly)
        with pytest.raises(KilledError):
            restore.run(two, SET, "latest", quiet, safety=False)
    with pytest.raises(outcome.BackupError, match="nothing stands aside"):
        restore.undo(two, SET, quiet)
    assert texts(two) == ["second", "second"]
    restore.run(two, SET, "latest", quiet, safety=False)
    assert exchange.beside(places(two), "new") == []
    restore.discard(two, SET, quiet)
    for place in places(two):
        assert [path.name for path in place.parent.iterdir() if path.name.startswith(f"{place.name}.")] == []


def test_paths_change_places_together_or_not_at_all(two: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    real = restore.STEPS["files"]["load"]

    def load_and_lose_the_last(context: t.Any) -> None:
        real(context)
        [made] = places(two)[-1].parent.glob("deep.new-*")
        shutil.rmtree(made)

    monkeypatch.setitem(restore.STEPS["files"], "load", load_and_lose_the_last)
    with pytest.raises(outcome.BackupError, match="deep"):
        restore.run(two, SET, "latest", quiet, safety=False)
    assert texts(two) == ["second", "second"]
    with pytest.raises(outcome.BackupError, match="nothing stands aside"):
        restore.undo(two, SET, quiet)


@pytest.mark.parametrize("lost", [[0], [1], [0, 1]])
def test_what_is_lost_comes_back_and_can_go_again(two: settings.Settings, lost: list[int], tmp_path: Path) -> None:
    """With its parents, if those are lost too."""
    for number in lost:
        shutil.rmtree(places(two)[number])
        if number == 1:
            shutil.rmtree(places(two)[number].parent)
    before = texts(two)
    report = restore.run(two, SET, "latest", quiet)
    assert texts(two) == ["first", "first"]
    # What is still there is backed up before, and stands aside.
    safety = [found.of.facts["paths"] for found in repository.backups(two.directory, SET) if found.of.safety]
    there = [str(place) for number, place in enumerate(places(two)) if number not in lost]
    assert safety == ([there] if there else [])
    assert len(report["aside"]) == len(there)
    for expected in (before, ["first", "first"], before):
        restore.undo(two, SET, quiet)
        assert texts(two) == expected
    assert not any(place.is_symlink() for place in places(two))


def test_what_a_backup_knows_nothing_of_is_left_alone(two: settings.Settings, tmp_path: Path) -> None:
    """A path that was declared later, and names that only look like ours."""
    later = tmp_path / "srv/later"
    later.mkdir()
    three = replace(two, files=(settings.Files("uploads", (*two.files[0].paths, str(later))),))
    alike = [places(two)[0].with_name(name) for name in ("uploads.new-2024", "uploads.restore-by-hand")]
    for path in alike:
        path.mkdir()
    restore.run(three, SET, "latest", quiet, safety=False)
    restore.undo(three, SET, quiet)
    assert texts(two) == ["second", "second"]
    assert later.is_dir()
    restore.discard(three, SET, quiet)
    assert all(path.is_dir() for path in alike)


def test_a_file_system_of_its_own_is_refused_before_anything_is_made(
    two: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == places(two)[1])
    with pytest.raises(outcome.BackupError, match="deep is a file system of its own"):
        restore.run(two, SET, "latest", quiet, safety=False)
    assert texts(two) == ["second", "second"]
    assert not list(places(two)[0].parent.glob("*-2*"))


# ---- Redis


@pytest.fixture
def cache(here: settings.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Restore:
    """A restore of Redis that is about to switch; the server is a directory, which holds what says whom it copies."""
    monkeypatch.setattr(redis, "DATA", tmp_path / "redis")
    monkeypatch.setattr(restore_directory, "own", lambda *_paths: None)
    of = manifest.Manifest("redis", "20260101T000000Z", "db1", 0, 0, (), {"keys": 1, "expiring": 0})
    begun = Restore(here, "redis", of, "", quiet, False, Report("redis", "db1", of.id, 0, 0, began=0))
    redis.DATA.mkdir()
    (redis.DATA / "replication.conf").write_text("replicaof 10.0.0.1 6379")
    (redis.DATA / "dump.rdb").write_text("live")
    begun.place.mkdir(parents=True)
    (begun.place / "dump.rdb").write_text("saved")
    restore_directory.load_redis(begun)
    return begun


class Server:
    """As good as systemd-run: it stops, the directories change places, it starts, or does not with what it finds."""

    def __init__(self, starts_with: str) -> None:
        self.starts_with = starts_with

    def __call__(self, _name: str, paths: list[Path], stamp: str, _server: str) -> None:
        exchange.exchange(paths, stamp)
        if (paths[0] / "dump.rdb").read_text() not in self.starts_with:
            raise outcome.BackupError("redis-server.service failed to start")


def test_who_copies_whom_stays_what_it_is(cache: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "apart", Server("live, saved"))
    restore_directory.switch_redis(cache)
    assert (redis.DATA / "dump.rdb").read_text() == "saved"
    assert (redis.DATA / "replication.conf").read_text() == "replicaof 10.0.0.1 6379"
    assert [Path(path, "dump.rdb").read_text() for path in cache.report.aside] == ["live"]


def test_a_redis_that_does_not_start_gets_back_what_it_had(cache: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "apart", Server("live"))
    with pytest.raises(outcome.BackupError, match="failed to start"):
        restore_directory.switch_redis(cache)
    assert (redis.DATA / "dump.rdb").read_text() == "live"
    with pytest.raises(outcome.BackupError, match="nothing stands aside"):
        restore.undo(cache.settings, "redis", quiet)


class Answers:
    """As good as redis-cli: the role and the followers, one pair for each look at the role."""

    def __init__(self, *said: tuple[str, int]) -> None:
        self.said = iter(said)
        self.now = ("", 0)

    def __call__(self, words: list[str], **_how: object) -> str:
        if words[-1] == "ROLE":
            self.now = next(self.said, self.now)
            return self.now[0]
        return f"role:{self.now[0]}\r\nconnected_slaves:{self.now[1]}\r\n"


@pytest.mark.parametrize(
    ("said", "refused", "warned"),
    [
        ([("", 0), ("master", 0), ("master", 1), ("master", 2)], False, False),
        ([("master", 0), ("master", 1), ("slave", 0)], True, False),
        ([("master", 1)], False, True),
    ],
    ids=["followed-again", "another-was-chosen", "one-follower-lost"],
)
def test_a_restored_redis_is_live_once_it_is_followed_again(
    cache: Restore, monkeypatch: pytest.MonkeyPatch, said: list[tuple[str, int]], refused: bool, warned: bool
) -> None:
    told: list[str] = []
    cache.say = lambda _priority, message: told.append(message)
    cache.followers = 2
    monkeypatch.setattr(redis, "login", lambda: (["redis-cli"], {}))
    monkeypatch.setattr(commands, "run", Answers(*said))
    monkeypatch.setattr(restore_directory, "SECONDS_TO_FOLLOW", 1 if warned else 60)
    with pytest.raises(outcome.BackupError, match="Run it on the primary") if refused else contextlib.nullcontext():
        restore_directory.probe_redis(cache)
    assert [("only 1 of 2 replicas" in message) for message in told] == [True] * warned


def test_an_undone_redis_copies_whom_it_copies_now_and_is_live_once_it_is_followed_again(
    cache: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "apart", Server("live, saved"))
    restore_directory.switch_redis(cache)
    (redis.DATA / "replication.conf").write_text("replicaof no one")
    monkeypatch.setattr(redis, "login", lambda: (["redis-cli"], {}))
    said = Answers(("master", 1), ("", 0), ("master", 0), ("master", 1))
    monkeypatch.setattr(commands, "run", said)
    restore.undo(cache.settings, "redis", quiet)
    assert list(said.said) == []
    assert (redis.DATA / "dump.rdb").read_text() == "live"
    assert (redis.DATA / "replication.conf").read_text() == "replicaof no one"


@pytest.mark.parametrize("then", ["master", "slave"])
def test_an_undo_that_would_not_last_says_so(cache: Restore, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    """On a replica it stops before anything is touched; one that becomes a replica meanwhile says what it is now."""
    monkeypatch.setattr(exchange, "apart", Server("live, saved"))
    restore_directory.switch_redis(cache)
    monkeypatch.setattr(redis, "login", lambda: (["redis-cli"], {}))
    monkeypatch.setattr(commands, "run", Answers((then, 1), ("master", 0), ("slave", 0)))
    with pytest.raises(outcome.BackupError, match="Run it on the primary"):
        restore.undo(cache.settings, "redis", quiet)
    assert (redis.DATA / "dump.rdb").read_text() == ("saved" if then == "slave" else "live")


def test_an_undone_redis_that_does_not_answer_says_how_to_go_on(
    cache: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "apart", Server("live, saved"))
    restore_directory.switch_redis(cache)
    monkeypatch.setattr(redis, "login", lambda: (["redis-cli"], {}))
    monkeypatch.setattr(commands, "run", Answers(("", 0)))
    monkeypatch.setattr(redis, "SECONDS_TO_LOAD", 0)
    with pytest.raises(outcome.BackupError, match="undo once more brings back what was restored"):
        restore.undo(cache.settings, "redis", quiet)


@pytest.mark.parametrize(
    ("answer", "refused"), [("master\n0\n", False), ("", False), ("slave\n10.0.0.1", True), ("NOAUTH", True)]
)
def test_only_a_primary_is_restored(
    cache: Restore, monkeypatch: pytest.MonkeyPatch, answer: str, refused: bool
) -> None:
    monkeypatch.setattr(redis, "login", lambda: (["redis-cli"], {}))
    monkeypatch.setattr(commands, "run", lambda *_words, **_how: answer)
    if not refused:
        restore_directory.check_redis(cache)
        return
    with pytest.raises(outcome.BackupError, match="Run it on the primary"):
        restore_directory.check_redis(cache)
    monkeypatch.setattr(redis, "SECONDS_TO_LOAD", 0)
    with pytest.raises(outcome.BackupError, match=r"Run it on the primary|did not come back"):
        restore_directory.probe_redis(cache)
