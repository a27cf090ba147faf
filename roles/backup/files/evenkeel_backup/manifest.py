# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a backup says of itself: its files with their sums, and the facts a restore has to reproduce."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

STAMP = "%Y%m%dT%H%M%SZ"
NAME = "manifest.json"
MARKS = "marks.json"
SEALED = ".age"
LEVELS = ("read", "restored", "remote")


@dataclass(frozen=True)
class Sum:
    bytes: int
    sha256: str
    md5: str  # what S3 and sftp can tell without sending the file back


@dataclass(frozen=True)
class Artifact:
    """One file, as it was written and, if the backup is encrypted, as it is stored beside that."""

    name: str
    clear: Sum
    sealed: Sum | None = None

    def stored(self) -> tuple[str, Sum]:
        return (f"{self.name}{SEALED}", self.sealed) if self.sealed else (self.name, self.clear)


@dataclass(frozen=True)
class Manifest:
    set: str
    id: str
    host: str
    taken: float  # the moment whose data it holds
    seconds: float
    artifacts: tuple[Artifact, ...]
    facts: dict[str, t.Any] = field(default_factory=dict)
    safety: bool = False  # taken by a restore of what it was about to replace: never what `latest` means
    elsewhere: int = 0  # bytes that another program keeps

    @property
    def bytes(self) -> int:
        return sum(artifact.clear.bytes for artifact in self.artifacts) + self.elsewhere

    @property
    def sealed(self) -> bool:
        return all(artifact.sealed for artifact in self.artifacts)


@dataclass
class Marks:
    """What became known of a backup later: when each level of verification passed, and what is wrong with it."""

    passed: dict[str, float] = field(default_factory=dict)
    checked: float = 0
    damaged: str = ""


def stamp(when: float) -> str:
    return datetime.fromtimestamp(int(when), UTC).strftime(STAMP)


def taken_at(name: str) -> datetime | None:
    """The time in the name of a backup; None for a name that is not one of ours."""
    try:
        when = datetime.strptime(name, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return when if when.strftime(STAMP) == name else None


def dump(value: Manifest | Marks) -> str:
    return json.dumps(asdict(value), indent=2, sort_keys=True) + "\n"


def load(text: str, name: str) -> Manifest:
    """What the file says of the backup of that name."""
    try:
        data = json.loads(text)
        artifacts = tuple(
            Artifact(a["name"], Sum(**a["clear"]), Sum(**a["sealed"]) if a["sealed"] else None)
            for a in data.pop("artifacts")
        )
        found = Manifest(artifacts=artifacts, **data)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ValueError(f"{NAME} is not what this program writes: {exc}") from exc
    names = [artifact.name for artifact in found.artifacts]
    if not (names or found.elsewhere) or any("/" in name or name in ("", ".", "..") for name in names):
        raise ValueError(f"{NAME} names no files, or files elsewhere")
    if found.id != name:
        raise ValueError(f"{NAME} is of {found.id}")
    return found


def load_marks(text: str) -> Marks:
    try:
        return Marks(**json.loads(text))
    except (ValueError, TypeError) as exc:
        return Marks(damaged=f"{MARKS} is not what this program writes: {exc}")


def choose(backups: t.Mapping[str, bool], wanted: str) -> str:
    """The backup that `latest`, an id or a time stands for: the newest that is not later.

    backups: the good ones, and whether each is a safety copy; such a copy is meant only by its id.
    """
    if wanted in backups:
        return wanted
    have = sorted(name for name, safety in backups.items() if not safety)
    if not have:
        raise ValueError("there is no good backup to restore from")
    if wanted == "latest":
        return have[-1]
    try:
        when = datetime.fromisoformat(wanted)
    except ValueError:
        known = ", ".join(sorted(backups))
        raise ValueError(f"'{wanted}' is neither latest, nor a good backup, nor a time; there are: {known}") from None
    limit = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC).strftime(STAMP)
    older = [name for name in have if name <= limit]
    if not older:
        raise ValueError(f"no backup is as old as {wanted}; the oldest is {have[0]}")
    return older[-1]


def differences(wanted: t.Mapping[str, int], found: t.Mapping[str, int]) -> list[str]:
    """One sentence for each count, of rows or keys or files, that is not the one the backup was taken with."""
    return [
        f"{name}: {found.get(name, 'missing')} instead of {wanted.get(name, 'none')}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]
