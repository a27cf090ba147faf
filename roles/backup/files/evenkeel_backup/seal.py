# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Encryption by age, for recipients whose keys are elsewhere: the host cannot read its own history."""

from __future__ import annotations

import typing as t
from pathlib import Path

from evenkeel_backup import commands
from evenkeel_backup.manifest import SEALED
from evenkeel_backup.outcome import BackupError, DamagedError


def seal(path: Path, recipients: t.Sequence[str], most_bytes: int) -> Path:
    sealed = path.with_name(f"{path.name}{SEALED}")
    words = ["age", "--encrypt", *(word for recipient in recipients for word in ("--recipient", recipient))]
    with path.open("rb") as clear, sealed.open("wb") as file:
        commands.run(commands.limited(words, most_bytes), stdin=clear, stdout=file)
    return sealed


def unseal(sealed: Path, clear: t.IO[bytes], identity: str) -> None:
    """The identity travels by pipe: it is on no disk of this host, and in no list of processes."""
    if not identity:
        raise BackupError("this backup is encrypted, and no age identity was given that may read it")
    try:
        commands.run(["age", "--decrypt", "--identity", "-", sealed], text=identity, stdout=clear)
    except BackupError as exc:
        raise DamagedError(f"this identity does not open the backup, or the backup is damaged: {exc}") from exc
