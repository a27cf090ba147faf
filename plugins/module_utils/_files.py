# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Durable, atomic changes to files, links and directories."""

from __future__ import annotations

import os
import secrets
import shutil
import stat

# Bytes of disk that we leave alone.
SPARE = 64 << 20


class NoSpaceError(OSError):
    """There is not enough of it, and another attempt would not change that."""


def check_space(directory: str, wanted: int, what: str) -> None:
    """Raises NoSpaceError before a disk is full, which more than our service would suffer from."""
    free = shutil.disk_usage(directory).free
    if free < wanted + SPARE:
        raise NoSpaceError(
            f"{directory}: {free >> 20} MiB are free, wanted {(wanted + SPARE) >> 20} MiB for {what} and to spare; "
            "make room there"
        )


def read_text(path: str) -> str | None:
    """The file's text, or None where there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def read_link(path: str) -> str:
    """Where a link leads, or an empty string where there is none."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def make_directory(path: str) -> None:
    """Make a directory and its missing parents, which everybody can enter whatever the umask is."""
    if path and not os.path.isdir(path):
        make_directory(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, 0o755)


def write_new(path: str, data: bytes, mode: int, group: int = 0) -> None:
    """Write a file that does not exist yet; never readable by more than ``mode`` says, not even for a moment."""
    make_directory(os.path.dirname(path))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fchown(fd, 0, group)
        os.fchmod(fd, mode)
        os.fsync(fd)


def _beside(path: str) -> str:
    """A name in the same directory that nobody else uses; whoever creates it must insist on creating it."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{secrets.token_hex(8)}")


def write_file(path: str, data: bytes, mode: int, group: int = 0) -> None:
    """Replace a file in one step."""
    make_directory(os.path.dirname(path))
    scratch = _beside(path)
    write_new(scratch, data, mode, group)
    os.replace(scratch, path)
    sync_directory(os.path.dirname(path))


def replace_link(path: str, target: str) -> None:
    """Point a link somewhere else in one step."""
    make_directory(os.path.dirname(path))
    scratch = _beside(path)
    os.symlink(target, scratch)
    os.replace(scratch, path)
    sync_directory(os.path.dirname(path))


def remove_link(path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)
        sync_directory(os.path.dirname(path))


def publish(staged: str, path: str) -> None:
    """Give a finished directory its name; one that stands there already is moved aside first and then removed."""
    sync_tree(staged)
    aside = f"{staged}.old"
    if os.path.lexists(path):
        os.rename(path, aside)
    os.rename(staged, path)
    sync_directory(os.path.dirname(path))
    if os.path.lexists(aside):
        shutil.rmtree(aside)


def sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_tree(root: str) -> None:
    for folder, _dirs, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                fd = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
        sync_directory(folder)
