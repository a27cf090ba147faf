# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the steps of a restore have in common, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from evenkeel_backup import backup, manifest, postgres, repository, sets
from evenkeel_backup.manifest import Manifest
from evenkeel_backup.runs import Say
from evenkeel_backup.settings import Settings


@dataclass
class Report:
    """What a restore did: times in seconds since 1970, steps in seconds each."""

    set: str
    host: str
    id: str
    taken: float
    bytes: int  # as large as it is when it is restored
    began: float
    steps: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)
    safety: str = ""
    left: list[str] = field(default_factory=list)  # to be done by whoever restores
    switched: float = 0  # seconds in which nobody could begin a session with the database


@dataclass
class Undone:
    """How a restore was taken back; nothing stands aside where there was nothing to go back to."""

    set: str
    aside: list[str] = field(default_factory=list)
    switched: float = 0  # as above
    seconds: float = 0  # from the question what stands aside until it is live


@dataclass
class Restore:
    settings: Settings
    name: str
    source: repository.Backup | Manifest
    identity: str
    say: Say
    safety_copy: bool
    report: Report
    followers: int = 0  # servers that copied the live one when the restore began

    @property
    def of(self) -> Manifest:
        return self.source.of if isinstance(self.source, repository.Backup) else self.source

    @property
    def what(self) -> str:
        return sets.kind(self.name)[1]

    @property
    def place(self) -> Path:
        return self.settings.restoring

    @cached_property
    def server(self) -> postgres.Server:
        return postgres.running(self.settings.postgres_port)

    @property
    def stamp(self) -> str:
        return manifest.stamp(self.report.began)

    def save(self, settings: Settings) -> None:
        """An ordinary backup of what is live, before it is set aside."""
        if self.safety_copy:
            self.report.safety = backup.take(settings, self.name, self.say, safety=True).id


Step = Callable[[Restore], None]
