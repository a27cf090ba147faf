# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files and directories: pack them with tar, read the archive through, and unpack it."""

from __future__ import annotations

import os
import tarfile
import time
import typing as t
from pathlib import Path

from evenkeel_backup import commands, repository
from evenkeel_backup.outcome import BackupError, DamagedError

NAME = "files.tar.gz"
CHANGED_WHILE_READ = 1  # tar's exit status: worth no alarm, the next backup has it


def dump(paths: t.Sequence[str], made: Path, most_bytes: int) -> dict[str, t.Any]:
    missing = [path for path in paths if not os.path.lexists(path)]
    if missing:
        raise BackupError(f"{', '.join(missing)} is not there to be backed up; correct backup_files")
    taken = time.time()
    with (made / NAME).open("wb") as file:
        relative = [path.lstrip("/") for path in paths]
        pack = ["tar", "--create", "--gzip", "--acls", "--xattrs", "--numeric-owner", "--sparse", "--directory=/"]
        command = commands.limited([*pack, "--", *relative], most_bytes)
        commands.run(command, stdout=file, accept=(0, CHANGED_WHILE_READ))
    entries, size = read(made)
    return {"taken": taken, "paths": list(paths), "entries": entries, "bytes": size}


def read(made: Path) -> tuple[int, int]:
    """Read every byte; the sums of gzip and the headers of tar have to fit."""
    entries = size = 0
    try:
        with tarfile.open(made / NAME, "r|gz", bufsize=1 << 20) as archive:
            for member in archive:
                entries += 1
                size += member.size
    except (tarfile.TarError, EOFError, OSError) as exc:
        raise DamagedError(f"{NAME} cannot be read through: {exc}") from exc
    return entries, size


def unpack(staged: Path, target: Path) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (staged / NAME).open("rb") as file:
        unpack_words = ["tar", "--extract", "--gzip", "--acls", "--xattrs", "--preserve-permissions", "--numeric-owner"]
        commands.run([*unpack_words, f"--directory={target}"], stdin=file)


def prove(staged: Path, target: Path, facts: t.Mapping[str, t.Any]) -> None:
    """Unpack beside everything, and compare name by name and byte by byte with the archive."""
    with repository.scratch(target):
        unpack(staged, target)
        with (staged / NAME).open("rb") as file:
            commands.run(["tar", "--compare", "--gzip", f"--directory={target}"], stdin=file)
        if read(staged) != (facts["entries"], facts["bytes"]):
            raise DamagedError(f"{NAME} does not hold the {facts['entries']} entries it was made of")
