# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Directories and files that change places with what is live, all of a set together, so that it can be undone.

What is made beside `uploads` is `uploads.new-<stamp>` and was never live: whoever finds it later may remove it. It
becomes `uploads.restore-<stamp>` together with the exchange, and that name then holds what was live.
"""

from __future__ import annotations

import ctypes
import os
import re
import typing as t
from pathlib import Path

from evenkeel_backup import commands, repository
from evenkeel_backup.outcome import BackupError

AT_FDCWD, RENAME_EXCHANGE = -100, 2
NOTHING = "evenkeel-nothing"  # a link to it stands for a path that is not there


def new(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.name}.new-{stamp.lower()}")


def aside(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.name}.restore-{stamp.lower()}")


def is_nothing(path: Path) -> bool:
    return path.is_symlink() and os.readlink(path) == NOTHING


def beside(paths: t.Iterable[Path], kind: str) -> list[Path]:
    """What restores have made beside the paths: `new`, and left when they were killed, or `restore`, oldest first."""
    found = []
    for path in (path for path in paths if path.parent.is_dir()):
        ours = re.compile(re.escape(path.name) + rf"\.{kind}-\d{{8}}t\d{{6}}z")
        found += [other for other in path.parent.iterdir() if ours.fullmatch(other.name)]
    return sorted(found, key=lambda other: other.name.rpartition("-")[2])


def sweep(paths: t.Iterable[Path]) -> None:
    commands.remove(*beside(paths, "new"))


def discard(paths: t.Sequence[Path]) -> list[str]:
    """Remove what stands aside, and what came to nothing."""
    gone = [*beside(paths, "restore"), *beside(paths, "new")]
    commands.remove(*gone)
    return [str(path) for path in gone]


def refuse_mounts(paths: t.Iterable[Path]) -> None:
    for path in paths:
        if path.is_mount():
            raise BackupError(
                f"{path} is a file system of its own, with which nothing beside it can change places; "
                "mount it one directory further up"
            )


def exchange(paths: t.Sequence[Path], stamp: str) -> None:
    """Each path becomes what stands beside it, and that what the path was: all of them, or none."""
    made: list[Path] = []
    done: list[Path] = []
    try:
        for path in paths:
            if os.path.lexists(new(path, stamp)):
                new(path, stamp).rename(aside(path, stamp))
                made.append(path)
        for path in paths:
            swap(path, aside(path, stamp))
            done.append(path)
    except OSError as exc:
        for path in done:
            swap(path, aside(path, stamp))
        disown(made, stamp)
        raise BackupError(f"what was restored cannot become live, and nothing is changed: {exc}") from exc
    for folder in {path.parent for path in paths}:
        repository.sync_directory(folder)


def disown(paths: t.Iterable[Path], stamp: str) -> None:
    """What stands aside was never live, or did not work: nobody is to go back to it."""
    for path in paths:
        if os.path.lexists(aside(path, stamp)):
            aside(path, stamp).rename(new(path, stamp))


def swap(one: Path, other: Path) -> None:
    """Two names swap what they stand for, in one step of the kernel; one of them may stand for nothing."""
    if not os.path.lexists(one):
        one.symlink_to(NOTHING)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        error = ctypes.get_errno()
        forget(one)
        raise OSError(error, os.strerror(error), str(one), None, str(other))
    forget(one)


def forget(path: Path) -> None:
    if is_nothing(path):
        path.unlink()


def apart(name: str, paths: t.Sequence[Path], stamp: str, server: str = "") -> None:
    """The exchange in a process of its own: nobody who is killed leaves it half done, or the `server` of it stopped."""
    program = Path(__file__).resolve().parents[1] / "evenkeel-backup"
    script = f'systemctl stop {server} && "$@"; status=$?; systemctl start {server} && exit $status'
    unit = f"evenkeel-restore-{name}"
    run = ["systemd-run", "--quiet", "--wait", "--collect", f"--unit={unit}"]
    shell = ["/bin/sh", "-c", script, "sh"] if server else []
    try:
        commands.run([*run, *shell, program, "exchange", stamp, *paths])
    except BackupError as exc:
        raise BackupError(f"the exchange failed; journalctl --unit={unit} says why: {exc}") from exc


def switch_server(name: str, path: Path, stamp: str, server: str) -> None:
    """Let a server run on its new directory. If it does not, it gets back the one it had."""
    restored = new(path, stamp).stat().st_ino
    try:
        apart(name, [path], stamp, server)
    except BackupError:
        if path.exists() and path.stat().st_ino == restored:
            go_back(name, path, stamp, server)
        raise


def go_back(name: str, path: Path, stamp: str, server: str) -> None:
    """After a switch that came to nothing; where nothing was before, what was restored stays."""
    if aside(path, stamp).is_dir():
        apart(name, [path], stamp, server)
        disown([path], stamp)
