# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The second copy, in a directory that stands for the store."""

from __future__ import annotations

import shutil
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from evenkeel_backup import backup, manifest, outcome, remote, repository, restore, settings

SET = "files/uploads"


def quiet(_priority: int, _message: str) -> None:
    return


class Rclone:
    """What rclone does with a store, done with a directory; it can be told not to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refuses: set[str] = set()

    def __call__(self, store: remote.Remote, verb: str, *words: str | Path, **how: t.Any) -> str:
        if verb in self.refuses:
            raise outcome.RemoteError(f"{verb} is refused")
        *_options, last = words
        path = self.root / str(last).partition(":")[2]
        if verb == "copyto":
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(words[-2], path)
        elif verb == "purge":
            shutil.rmtree(path)
        elif verb == "cat" and "stdout" in how:
            how["stdout"].write(path.read_bytes())
        elif verb == "cat":
            return path.read_text()
        return ""

    def listing(self, store: remote.Remote, name: str) -> dict[str, dict[str, t.Any]]:
        top = self.root / store.where(name).partition(":")[2]
        return {
            str(path.relative_to(top)): {"Size": path.stat().st_size, "Hashes": {"md5": repository.sum_of(path).md5}}
            for path in top.glob("**/*")
            if path.is_file()
        }


@pytest.fixture
def rclone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rclone:
    made = Rclone(tmp_path / "store")

    # Methods of a store get it as their first argument, what is called like one does not.
    def call(store: remote.Remote, *words: t.Any, **how: t.Any) -> t.Any:
        return made(store, *words, **how)

    def tell(store: remote.Remote, name: str) -> dict[str, dict[str, t.Any]]:
        return made.listing(store, name)

    monkeypatch.setattr(remote.Remote, "rclone", call)
    monkeypatch.setattr(remote.Remote, "listing", tell)
    return made


@pytest.fixture
def away(here: settings.Settings, rclone: Rclone, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    """A host with four backups, all of them in the store."""
    there = replace(here, remote="store:x")
    now = time.time()
    with monkeypatch.context() as patched:
        for hours in range(4, 0, -1):
            patched.setattr(backup.time, "time", lambda at=now - hours * 3600: at)
            backup.take(there, SET, quiet)
    backup.copy_away(there, SET, repository.backups(there.directory, SET), quiet)
    return there


def known(here: settings.Settings) -> list[repository.Backup]:
    return repository.backups(here.directory, SET)


def stored(here: settings.Settings) -> list[str]:
    return sorted({path.partition("/")[0] for path in remote.Remote(here).listing(SET)})


def test_a_copy_that_was_put_there_by_a_run_that_was_killed_counts(away: settings.Settings) -> None:
    for found in known(away):
        del found.marks.passed["remote"]
        found.save()
    backup.copy_away(away, SET, known(away), quiet)
    assert all("remote" in found.marks.passed for found in known(away))


def test_both_copies_go_or_none(away: settings.Settings, rclone: Rclone) -> None:
    oldest = known(away)[0].id
    rclone.refuses.add("purge")
    with pytest.raises(outcome.RemoteError, match=oldest):
        backup.thin_out(away, SET, known(away), quiet)
    assert known(away)[0].id == stored(away)[0] == oldest
    rclone.refuses.clear()
    assert backup.thin_out(away, SET, known(away), quiet).remove == [oldest]
    assert stored(away) == [found.id for found in known(away)]
    assert len(stored(away)) == 3


@pytest.mark.parametrize("text", ["{", "{}", "other"])
def test_a_manifest_that_cannot_be_read_is_in_nobodys_way(away: settings.Settings, rclone: Rclone, text: str) -> None:
    """Be it damaged, or that of another backup; the test restore fails where it is the newest."""
    top = rclone.root / remote.Remote(away).where(SET).partition(":")[2]
    first, *_between, newest = stored(away)
    wrong = (top / newest / manifest.NAME).read_text() if text == "other" else text
    (top / first / manifest.NAME).write_text(wrong)
    assert restore.plan(away, SET, "latest", remote=True)["id"] == newest
    assert backup.remote_test(away, quiet, "")[0] == "ok"
    with pytest.raises(outcome.BackupError, match="damaged in the store"):
        restore.plan(away, SET, first, remote=True)
    (top / newest / manifest.NAME).write_text("{" if text == "other" else text)
    ended, message = backup.remote_test(away, quiet, "")
    assert ended == "damaged"
    assert newest in message
