# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of files, for real and in a directory of their own: taken, damaged, found, kept, restored, taken back."""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import http.server
import os
import threading
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from evenkeel_backup import (
    backup,
    cli,
    commands,
    job,
    metrics,
    outcome,
    repository,
    restore,
    restore_report,
    sets,
    settings,
)

SET = "files/uploads"
INFO = 6  # of syslog; what is more urgent has a smaller number


def quiet(_priority: int, _message: str) -> None:
    return


def uploaded(here: settings.Settings) -> Path:
    return Path(here.files[0].paths[0]) / "file"


@pytest.fixture
def taken(here: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> repository.Backup:
    """A good backup, an hour old."""
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr(backup.time, "time", lambda: now - 3600)
        return backup.take(here, SET, quiet)


@pytest.fixture
def hourly(here: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Six good backups, the newest an hour old."""
    now = time.time()
    with monkeypatch.context() as patched:
        for hours in range(6, 0, -1):
            patched.setattr(backup.time, "time", lambda at=now - hours * 3600: at)
            backup.take(here, SET, quiet)
    return ids(here)


def ids(here: settings.Settings) -> list[str]:
    return [found.id for found in repository.backups(here.directory, SET)]


def test_what_is_only_read_is_lent_not_copied(
    here: settings.Settings, taken: repository.Backup, tmp_path: Path
) -> None:
    (place := tmp_path / "staged").mkdir()
    backup.stage(here, SET, taken, place, "")
    [staged] = place.iterdir()
    assert staged.samefile(taken.path / staged.name)
    commands.remove(place)
    assert taken.damage(thorough=True) == ""


def test_where_files_have_one_name_only_what_is_read_is_copied(
    here: settings.Settings, taken: repository.Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _to: Path) -> t.NoReturn:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (place := tmp_path / "staged").mkdir()
    backup.stage(here, SET, taken, place, "")
    [staged] = place.iterdir()
    assert staged.read_bytes() == (taken.path / staged.name).read_bytes()
    assert not staged.samefile(taken.path / staged.name)


@pytest.mark.parametrize(("name", "written"), [("redis", True), ("database/notes", False), (SET, False)])
def test_only_redis_writes_into_what_is_staged_for_it(name: str, written: bool) -> None:
    assert sets.is_written_to(name) is written


def test_a_sum_is_of_the_whole_file(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_bytes(b"evenkeel" * 500_000)
    found = repository.sum_of(path)
    assert found.bytes == 4_000_000
    assert found.sha256 == hashlib.sha256(b"evenkeel" * 500_000).hexdigest()
    assert found.md5 == hashlib.md5(b"evenkeel" * 500_000).hexdigest()


def test_a_backup_is_good_and_says_what_it_holds(here: settings.Settings, taken: repository.Backup) -> None:
    assert taken.good
    assert taken.of.facts["entries"] == 2
    assert taken.damage(thorough=True) == ""
    assert backup.back_up(here, quiet) == ("ok", "")
    assert backup.restore_test(here, quiet) == ("ok", "")
    newest = repository.backups(here.directory, SET)[-1]
    assert set(newest.marks.passed) == {"read", "restored"}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, t.Callable[[Path], object]] = {
    "cut": lambda folder: (folder / "files.tar.gz").write_bytes((folder / "files.tar.gz").read_bytes()[:-1]),
    "flipped": lambda folder: flip(folder / "files.tar.gz"),
    "emptied": lambda folder: (folder / "files.tar.gz").write_bytes(b""),
    "deleted": lambda folder: (folder / "files.tar.gz").unlink(),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "strange manifest": lambda folder: (folder / "manifest.json").write_text("{}"),
    "strange marks": lambda folder: (folder / "marks.json").write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_the_next_run_finds_the_damage_and_takes_a_good_one(
    here: settings.Settings, taken: repository.Backup, damage: t.Callable[[Path], object]
) -> None:
    damage(taken.path)
    assert backup.back_up(here, quiet)[0] == "damaged"
    old, new = repository.backups(here.directory, SET)
    assert not old.good
    assert new.good
    assert 'evenkeel_backup_copies{set="files/uploads",state="damaged"} 1' in job.collect(here, time.time()).render()


def test_contents_are_read_again_within_the_limit_and_sizes_always(
    here: settings.Settings, taken: repository.Backup
) -> None:
    flip(taken.path / "files.tar.gz")
    assert backup.back_up(replace(here, recheck=0), quiet)[0] == "ok"
    (taken.path / "files.tar.gz").write_bytes(b"")
    assert backup.back_up(replace(here, recheck=0), quiet)[0] != "ok"


def test_what_is_larger_than_the_limit_is_read_too(here: settings.Settings, taken: repository.Backup) -> None:
    flip(taken.path / "files.tar.gz")
    assert backup.back_up(replace(here, recheck=1), quiet)[0] == "damaged"


def test_fifty_good_runs_are_no_alarm(here: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is backed up grows and shrinks a little meanwhile, as uploads do."""
    told: list[str] = []
    now = time.time()
    for number in range(50):
        monkeypatch.setattr(backup.time, "time", lambda at=now - (50 - number) * 3600: at)
        (uploaded(here).parent / f"{number % 7}").write_bytes(os.urandom(20 * number))
        assert backup.back_up(here, lambda priority, text: told.append(text) if priority < INFO else None)[0] == "ok"
        assert backup.restore_test(here, quiet)[0] == "ok"
    assert told == []
    assert len(ids(here)) == 3


def test_of_many_that_are_large_one_is_read_by_each_run(here: settings.Settings, hourly: list[str]) -> None:
    every = repository.backups(here.directory, SET)
    assert repository.check(every, time.time(), 1) == every[0].of.bytes
    assert repository.check(every, time.time(), 1) == every[1].of.bytes


def test_a_failing_producer_leaves_the_old_ones_and_nothing_else(
    here: settings.Settings, taken: repository.Backup
) -> None:
    gone = replace(here, files=(settings.Files("uploads", ("/nonexistent/uploads",)),))
    ended, message = backup.back_up(gone, quiet)
    assert ended == "failed"
    assert "/nonexistent/uploads is not there" in message
    assert [path.name for path in (here.directory / SET).iterdir()] == [taken.id]


def test_a_set_that_fails_stops_no_other(here: settings.Settings) -> None:
    both = replace(here, files=(settings.Files("gone", ("/nonexistent/uploads",)), *here.files))
    assert backup.back_up(both, quiet)[0] == "failed"
    assert len(ids(here)) == 1


def test_the_reserve_stays_free(here: settings.Settings, taken: repository.Backup) -> None:
    ended, message = backup.back_up(replace(here, reserve=1 << 60), quiet)
    assert ended == "space"
    assert "make room" in message
    assert ids(here) == [taken.id]


def test_a_full_disk_is_no_reason_to_keep_what_may_go(here: settings.Settings, hourly: list[str]) -> None:
    flip(here.directory / SET / hourly[-2] / "files.tar.gz")
    ended, message = backup.back_up(replace(here, reserve=1 << 60), quiet)
    assert ended == "damaged"
    assert "make room" in message
    assert ids(here) == [hourly[-4], *hourly[-3:]]


def test_a_mark_does_not_undo_what_others_found_out(taken: repository.Backup) -> None:
    """The test restore takes hours, and other jobs go on meanwhile."""
    known_before = repository.Backup(taken.path)
    taken.mark("remote", 1)
    known_before.mark("restored", 2)
    taken.condemn("a bit flipped")
    known_before.mark("restored", 3)
    found = repository.Backup(taken.path).marks
    assert (found.passed["remote"], found.passed["restored"], found.damaged) == (1, 3, "a bit flipped")


@pytest.mark.parametrize("newest_is_safety", [False, True])
def test_of_encrypted_backups_only_the_newest_can_be_read_here(
    here: settings.Settings, hourly: list[str], newest_is_safety: bool
) -> None:
    """A safety copy is not what anybody means by that."""
    every = repository.backups(here.directory, SET)
    for found in every:
        (found.path / "files.tar.gz.age").write_bytes(b"sealed")
        sealed = tuple(replace(one, sealed=one.clear) for one in found.of.artifacts)
        found.manifest = replace(found.of, artifacts=sealed)
    if newest_is_safety:
        every[-1].manifest = replace(every[-1].of, safety=True)
    repository.forget_clear_files(every)
    clear = [found.id for found in every if (found.path / "files.tar.gz").exists()]
    assert clear == (hourly[-2:] if newest_is_safety else hourly[-1:])


def test_what_a_killed_run_left_is_swept(here: settings.Settings) -> None:
    (repository.place(here.directory, SET) / "20200101T000000Z.part").mkdir()
    assert backup.back_up(here, quiet)[0] == "ok"
    assert not list((here.directory / SET).glob("*.part"))


def test_backups_within_a_second_wait_for_the_next(here: settings.Settings) -> None:
    assert [backup.back_up(here, quiet)[0] for _run in range(2)] == ["ok"] * 2
    assert len(set(ids(here))) == 2


class FakeServer:
    def __init__(self, role: str) -> None:
        self.role = role

    def ask(self, _script: str) -> list[str]:
        return [self.role]


@pytest.mark.parametrize(
    ("role", "ended", "databases", "left"),
    [
        ("leads", "ok", 1, 'evenkeel_backup_left{set="database/notes"} 0'),
        ("copies", "ok", 0, 'evenkeel_backup_left{set="database/notes"} 1'),
        ("waits", "failed", 0, 'evenkeel_backup_left{set="database/notes"} 0'),
    ],
)
def test_of_hosts_that_take_turns_who_leads_backs_databases_up(
    here: settings.Settings, monkeypatch: pytest.MonkeyPatch, role: str, ended: str, databases: int, left: str
) -> None:
    monkeypatch.setattr(backup.postgres, "running", lambda _port: FakeServer(role))
    monkeypatch.setattr(backup.sets, "read", lambda _name, _made: None)
    monkeypatch.setattr(
        backup.sets, "dump", lambda _settings, _name, made, _most: (made / "dump").write_bytes(b"x") and {"taken": 1}
    )
    both = replace(here, databases=("notes",), only_leader=True)
    assert backup.back_up(both, quiet)[0] == ended
    assert len(repository.backups(both.directory, "database/notes")) == databases
    # What is each host's own is backed up on each.
    assert len(ids(both)) == 1
    told = job.collect(both, time.time()).render()
    assert left in told
    assert ('evenkeel_backup_age_seconds{set="database/notes"}' in told) == (role != "copies")


def test_a_host_that_copies_another_has_nothing_to_prove(
    here: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup.postgres, "running", lambda _port: FakeServer("copies"))
    both = replace(here, databases=("notes",), files=(), only_leader=True)
    assert backup.restore_test(both, quiet) == ("ok", "")
    assert backup.restore_test(replace(both, only_leader=False), quiet)[0] == "failed"


@pytest.mark.parametrize(("role", "names"), [("leads", ["database/notes", SET]), ("copies", [SET])])
def test_a_drill_restores_databases_where_they_are_led(
    here: settings.Settings, monkeypatch: pytest.MonkeyPatch, role: str, names: list[str]
) -> None:
    restored: list[str] = []
    monkeypatch.setattr(backup.postgres, "running", lambda _port: FakeServer(role))
    monkeypatch.setattr(cli, "restore_sets", lambda _settings, _given, sets, safety_copy: restored.extend(sets))
    cli.drill(replace(here, databases=("notes",), only_leader=True), argparse.Namespace())
    assert sorted(restored) == names


def test_who_has_just_begun_to_lead_has_nothing_to_prove_yet(
    here: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup.postgres, "running", lambda _port: FakeServer("leads"))
    alone = replace(here, databases=("notes",), files=(), only_leader=True)
    assert backup.restore_test(alone, quiet) == ("ok", "")
    (alone.directory / "database/notes/20260101T000000Z").mkdir(parents=True)  # with nothing in it
    assert backup.restore_test(alone, quiet)[0] == "failed"


def test_what_a_test_restore_unpacks_is_gone_afterwards(
    here: settings.Settings, taken: repository.Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup.sets, "prove", lambda *_words: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backup.restore_test(here, quiet)
    assert not list(here.work.glob("**/files.tar.gz"))


def test_what_cannot_be_removed_is_an_error() -> None:
    with pytest.raises(outcome.BackupError, match="rm failed"):
        commands.remove(Path("/proc/version"))


def test_a_dry_run_plans_and_removes_nothing(here: settings.Settings, hourly: list[str]) -> None:
    every = repository.backups(here.directory, SET)
    planned = backup.thin_out(here, SET, every, quiet, dry_run=True)
    assert len(ids(here)) == 6
    assert backup.thin_out(here, SET, every, quiet) == planned
    assert ids(here) == [found.id for found in every if found.id not in planned.remove]
    assert len(planned.remove) == 3


# ---- restores


def test_a_restore_can_be_taken_back(here: settings.Settings, taken: repository.Backup) -> None:
    uploaded(here).write_bytes(b"second")
    report = restore.run(here, SET, "latest", quiet)
    assert uploaded(here).read_bytes() == b"first"
    assert report["id"] == taken.id
    assert report["safety"] in ids(here)
    restore.undo(here, SET, quiet)
    assert uploaded(here).read_bytes() == b"second"
    assert restore.discard(here, SET, quiet) == report["aside"]
    assert sorted(path.name for path in uploaded(here).parents[1].iterdir()) == ["uploads"]


def test_the_safety_copy_is_not_the_latest(here: settings.Settings, taken: repository.Backup) -> None:
    uploaded(here).write_bytes(b"second")
    restore.run(here, SET, "latest", quiet)
    assert restore.plan(here, SET, "latest", remote=False)["id"] == taken.id


class KilledError(BaseException):
    """As good as SIGKILL: nobody handles it, though what is finally done is done."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", restore.STEPS["files"])
def test_whoever_is_killed_leaves_the_one_or_the_other(
    here: settings.Settings, taken: repository.Backup, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    uploaded(here).write_bytes(b"second")
    real = restore.STEPS["files"][step]

    def deadly(context: restore_report.Restore) -> None:
        if after:
            real(context)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setitem(restore.STEPS["files"], step, deadly)
        with pytest.raises(KilledError):
            restore.run(here, SET, "latest", quiet)
    assert uploaded(here).read_bytes() == (b"first" if step == "switch" and after else b"second")
    restore.run(here, SET, taken.id, quiet, safety=False)
    assert uploaded(here).read_bytes() == b"first"


def test_a_damaged_backup_is_not_restored(here: settings.Settings, taken: repository.Backup) -> None:
    uploaded(here).write_bytes(b"second")
    flip(taken.path / "files.tar.gz")
    with pytest.raises(outcome.DamagedError, match="not what was backed up"):
        restore.run(here, SET, "latest", quiet)
    assert uploaded(here).read_bytes() == b"second"


# ---- jobs


def test_a_job_that_hangs_is_ended(here: settings.Settings) -> None:
    def hang() -> tuple[str, str]:
        time.sleep(60)
        return "ok", ""

    assert job.run(here, "backup", hang) == 124
    record = job.read_record(here, "backup")
    assert (record.outcome, record.failures, record.running) == ("timeout", 1, False)
    assert 'evenkeel_job_exit_code{job="backup"} 124' in (here.metrics / metrics.NAME).read_text()


def test_two_at_once_are_one_and_a_skipped_one(here: settings.Settings) -> None:
    inner: list[int] = []

    def work() -> tuple[str, str]:
        inner.append(job.run(here, "backup", lambda: ("ok", "")))
        return "ok", ""

    assert job.run(here, "backup", work) == 0
    assert inner == [75]
    assert job.read_record(here, "backup").skipped == 1


def test_a_mistake_of_ours_is_told_like_any_failure(here: settings.Settings) -> None:
    def work() -> tuple[str, str]:
        raise AttributeError("oops")

    assert job.run(here, "backup", work) == 1
    assert job.read_record(here, "backup").message == "AttributeError: oops"


def test_a_missed_run_is_overdue_until_one_has_begun(here: settings.Settings) -> None:
    assert job.overdue(here, time.time()) == ["backup"]
    job.run(here, "backup", lambda: ("failed", "no"))
    assert job.overdue(here, time.time()) == []


def test_who_is_skipped_overwrites_nobodys_end(here: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before may finish at the very moment."""
    real, first = outcome.skip, threading.Thread(target=job.update_record, args=(here, "backup", finished))

    def slow(record: outcome.Record) -> outcome.Record:
        first.start()
        first.join(0.2)  # it has to wait; would it not, it were done by then
        return real(record)

    monkeypatch.setattr(outcome, "skip", slow)
    with job.lock(here, "backup", wait=False):
        assert job.run(here, "backup", lambda: ("ok", "")) == 75
    first.join()
    record = job.read_record(here, "backup")
    assert (record.skipped, record.succeeded) == (1, 20)


def finished(record: outcome.Record) -> outcome.Record:
    return outcome.finish(outcome.begin(record, 10), "ok", "", 20)


def test_what_the_next_host_gets_is_as_old_as_its_way_there(here: settings.Settings, taken: repository.Backup) -> None:
    loss, _restore, _problems = job.promises(here, time.time())
    taken.mark("remote", taken.of.taken + 900)
    assert job.promises(here, time.time())[0] == pytest.approx(loss + 900, abs=1)


@pytest.mark.parametrize("going_on", [False, True])
def test_what_a_killed_restore_left_in_clear_goes_with_the_next_job(
    here: settings.Settings, monkeypatch: pytest.MonkeyPatch, going_on: bool
) -> None:
    (here.restoring / "unpacked").mkdir(parents=True)
    monkeypatch.setattr(cli.os, "nice", lambda _by: 0)
    patient = replace(here, jobs={"backup": replace(here.jobs["backup"], timeout=600)})
    with job.lock(here, "restore", wait=False) if going_on else contextlib.nullcontext():
        assert cli.run_job(patient, argparse.Namespace(name="backup", wait=False)) == 0
    assert here.restoring.exists() == going_on


# ---- who is told


class Listener(http.server.BaseHTTPRequestHandler):
    """Notes what it was asked for, and answers as it is told: with nonsense, if with nothing else."""

    asked: t.ClassVar[list[str]] = []
    answers: t.ClassVar[list[int]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.answers:
            self.send_response(self.answers.pop(0))
            self.end_headers()
        else:
            self.wfile.write(b"SSH-2.0-nonsense\r\n")

    def log_message(self, *_words: t.Any) -> None:
        return


@pytest.fixture
def listener(here: settings.Settings) -> t.Iterator[settings.Settings]:
    """A host whose job has a ping that a real server takes."""
    Listener.asked.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pinged = replace(here.jobs["backup"], ping=f"http://127.0.0.1:{server.server_port}/id")
        yield replace(here, jobs={"backup": pinged})
        server.shutdown()


@pytest.mark.parametrize(
    ("ended", "answers", "asked"),
    [
        ("ok", [200], ["/id"]),
        ("space", [200], ["/id/fail"]),
        ("ok", [503, 200], ["/id", "/id"]),
        ("ok", [500, 500, 500], ["/id"] * 3),
        ("ok", [], ["/id"] * 3),
    ],
)
def test_a_ping_says_how_it_ended_and_is_no_part_of_that(
    listener: settings.Settings, ended: str, answers: list[int], asked: list[str]
) -> None:
    Listener.answers[:] = answers
    assert job.run(listener, "backup", lambda: (ended, "")) == outcome.EXIT[ended]
    assert Listener.asked == asked


def test_mail_is_sent_on_news_alone(here: settings.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = tmp_path / "sent"
    monkeypatch.setattr(job, "SENDMAIL", tmp_path / "sendmail")
    job.SENDMAIL.write_text(f'#!/bin/sh\n[ "$*" = "-t -i" ] || exit 1\ncat >> {sent}\n')
    job.SENDMAIL.chmod(0o755)
    told = replace(here, mail="ops@example.com")
    for ended, message in [("ok", ""), ("space", "no room"), ("space", "no room"), ("ok", "")]:
        job.run(told, "backup", lambda ended=ended, message=message: (ended, message))
    mails = sent.read_text()
    subjects = [line for line in mails.splitlines() if line.startswith("Subject: ")]
    assert subjects == ["Subject: [db1] backup fails: space", "Subject: [db1] backup works again"]
    assert "To: ops@example.com\n" in mails
    assert mails.count("\n\nno room\n\n") == 1
    job.SENDMAIL.write_text("#!/bin/sh\nexit 1\n")
    assert job.run(told, "backup", lambda: ("space", "")) == 73
