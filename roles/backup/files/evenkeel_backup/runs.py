# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run over several sets, and how it tells what happens."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from evenkeel_backup.outcome import BackupError, worst
from evenkeel_backup.settings import Settings

Say = Callable[[int, str], None]
ERROR, WARNING, INFO = 3, 4, 6  # of syslog


class Run:
    """What happens to each set in turn. One that fails stops no other, and the worst outcome is the run's."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.outcomes: list[str] = []
        self.messages: list[str] = []

    def failed(self, name: str, exc: Exception) -> None:
        self.outcomes.append(exc.outcome if isinstance(exc, BackupError) else "failed")
        self.messages.append(f"{name}: {exc}")
        self.say(ERROR, f"{name}: {exc}")

    def each(self, action: Callable[[str], None], names: t.Iterable[str]) -> None:
        for name in names:
            try:
                action(name)
            except (BackupError, OSError, ValueError) as exc:
                self.failed(name, exc)

    @property
    def result(self) -> tuple[str, str]:
        return worst(self.outcomes), "; ".join(self.messages)
