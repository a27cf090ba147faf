# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups on disk: `<directory>/<set>/<id>/` holds one. It is made as `<id>.part` and renamed when it is good."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from evenkeel_backup import commands, keep, manifest
from evenkeel_backup.manifest import Manifest, Marks, Sum
from evenkeel_backup.outcome import DamagedError

PART = ".part"


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(fd, mode)
        file.flush()
        os.fsync(fd)
    part.replace(path)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sum_of(path: Path) -> Sum:
    """Have the file on the disk, and read the whole of it: neither waits for the other."""
    with path.open("rb") as file, ThreadPoolExecutor() as at_once:
        size = path.stat().st_size
        on_disk = at_once.submit(os.fsync, file.fileno())
        sha256, md5 = at_once.submit(digest, path, "sha256"), at_once.submit(digest, path, "md5")
        on_disk.result()
        return Sum(size, sha256.result(), md5.result())


def digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def holds(path: Path, wanted: Sum) -> bool:
    """Read the file, if it is as long as it should be at all. One strong sum tells; the other is for remote stores."""
    if path.stat().st_size != wanted.bytes:
        return False
    return digest(path, "sha256") == wanted.sha256


def lend(stored: Path, to: Path) -> None:
    """Give a file to who only reads it: by a second name, or as a copy on a file system where there can be none."""
    try:
        to.hardlink_to(stored)
    except OSError:
        shutil.copyfile(stored, to)


def free_bytes(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


class Backup:
    """One backup as it lies there, with what has become known of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self.marks = Marks()
        self.manifest: Manifest | None = None
        with contextlib.suppress(FileNotFoundError):
            self.marks = manifest.load_marks((path / manifest.MARKS).read_text(encoding="utf-8"))
        try:
            self.manifest = manifest.load((path / manifest.NAME).read_text(encoding="utf-8"), self.id)
        except (OSError, ValueError) as exc:
            self.marks.damaged = self.marks.damaged or str(exc)

    @property
    def good(self) -> bool:
        return self.manifest is not None and "read" in self.marks.passed and not self.marks.damaged

    @property
    def of(self) -> Manifest:
        if self.manifest is None:
            raise DamagedError(f"{self.path}: {self.marks.damaged}")
        return self.manifest

    @property
    def seconds(self) -> float:
        """From the moment whose data it holds until it was safe: in the remote store, if it is there."""
        return max(self.of.seconds, self.marks.passed.get("remote", 0) - self.of.taken)

    def mark(self, level: str, when: float) -> None:
        self.note(passed={level: when})

    def condemn(self, problem: str) -> None:
        self.note(damaged=problem)

    def note(self, passed: t.Mapping[str, float] = MappingProxyType({}), damaged: str = "", checked: float = 0) -> None:
        """Add to what is known by now: other jobs may have found something out since this was read."""
        with contextlib.suppress(FileNotFoundError):
            self.marks = manifest.load_marks((self.path / manifest.MARKS).read_text(encoding="utf-8"))
        self.marks.passed.update(passed)
        self.marks.damaged = damaged or self.marks.damaged
        self.marks.checked = max(checked, self.marks.checked)
        self.save()

    def save(self) -> None:
        write(self.path / manifest.MARKS, manifest.dump(self.marks))

    def stored_files(self) -> list[tuple[Path, Sum]]:
        """What has to lie here: the stored files, and the clear ones beside them for as long as they are kept."""
        found = []
        for artifact in self.of.artifacts:
            name, wanted = artifact.stored()
            found.append((self.path / name, wanted))
            if artifact.sealed and (self.path / artifact.name).exists():
                found.append((self.path / artifact.name, artifact.clear))
        return found

    def damage(self, thorough: bool) -> str:
        """What is wrong with the files; only their sizes are looked at unless `thorough`."""
        for path, wanted in self.stored_files():
            if not path.is_file():
                return f"{path.name} is missing"
            if path.stat().st_size != wanted.bytes:
                return f"{path.name} has {path.stat().st_size} bytes instead of {wanted.bytes}"
            if thorough and not holds(path, wanted):
                return f"{path.name} has other content than when it was written"
        return ""

    def as_kept(self) -> keep.Backup:
        taken = manifest.taken_at(self.id) or datetime.fromtimestamp(0, UTC)
        return keep.Backup(self.id, taken, self.good, self.manifest.bytes if self.manifest else 0)


def place(root: Path, name: str) -> Path:
    path = root / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def backups(root: Path, name: str) -> list[Backup]:
    """All of a set, oldest first; names that are none of ours are left alone."""
    folder = root / name
    if not folder.is_dir():
        return []
    return [Backup(path) for path in sorted(folder.iterdir()) if path.is_dir() and manifest.taken_at(path.name)]


@contextlib.contextmanager
def scratch(path: Path) -> t.Iterator[Path]:
    """A directory for data in clear: what a killed run left there is gone before, and what is put there afterwards."""
    commands.remove(path)
    path.mkdir(parents=True, mode=0o700)
    try:
        yield path
    finally:
        commands.remove(path)


def free_stamp(root: Path, name: str) -> tuple[float, str]:
    """When a backup that begins now began, and its name: a second that one of this set has already is waited out."""
    while (root / name / (stamp := manifest.stamp(began := time.time()))).exists():
        time.sleep(0.1)
    return began, stamp


@contextlib.contextmanager
def part(root: Path, name: str, stamp: str) -> t.Iterator[Path]:
    """A directory to make a backup in; gone afterwards, whatever happens, unless it was published."""
    folder = place(root, name)
    commands.remove(*folder.glob(f"*{PART}"))  # of a run that was killed: the lock is ours
    with scratch(folder / f"{stamp}{PART}") as made:
        yield made


def publish(made: Path, facts: Manifest) -> Backup:
    """The name makes it count: everything is on the disk before."""
    write(made / manifest.NAME, manifest.dump(facts))
    write(made / manifest.MARKS, manifest.dump(Marks({"read": facts.taken}, checked=time.time())))
    sync_directory(made)
    final = made.with_name(made.name.removesuffix(PART))
    made.rename(final)
    sync_directory(final.parent)
    return Backup(final)


def check(all_of_set: t.Sequence[Backup], now: float, most_bytes: int) -> int:
    """Look at all backups again: sizes always, contents of those not looked at for longest. Say how many bytes."""
    read = 0
    for backup in sorted(all_of_set, key=lambda backup: backup.marks.checked):
        if backup.marks.damaged:
            continue
        size = backup.of.bytes
        # One at least, else what is larger than the limit would never be read again.
        thorough = read + size <= most_bytes or (most_bytes > 0 and not read)
        damage = backup.damage(thorough)
        read += size if thorough else 0
        if thorough or damage:
            backup.note(damaged=damage, checked=now if thorough else 0)
    return read


def remove(backup: Backup) -> None:
    """First the name, then the content: a removal that is cut short leaves no backup that looks whole."""
    doomed = backup.path.with_name(f"{backup.id}{PART}")
    backup.path.rename(doomed)
    commands.remove(doomed)


def newest_good(every: t.Iterable[Backup]) -> Backup | None:
    """What `latest` means."""
    return max((found for found in every if found.good and not found.of.safety), key=lambda one: one.id, default=None)


def forget_clear_files(every: t.Sequence[Backup]) -> None:
    """Of encrypted backups only the newest stays readable here: the host has that data anyway."""
    newest = newest_good(every)
    for backup in every if newest else ():
        if newest and backup.id >= newest.id:
            return
        for artifact in backup.manifest.artifacts if backup.manifest else ():
            if artifact.sealed:
                (backup.path / artifact.name).unlink(missing_ok=True)
