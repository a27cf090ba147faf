# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a run ended, as exit status and as the record that outlives it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace


class BackupError(Exception):
    """A run failed for a reason that has a class; the message says what was wanted, seen, and to do."""

    outcome = "failed"


class DamagedError(BackupError):
    outcome = "damaged"


class SpaceError(BackupError):
    outcome = "space"


class RemoteError(BackupError):
    outcome = "remote"


class ConfigError(BackupError):
    outcome = "config"


class SkippedError(BackupError):
    outcome = "skipped"


class EndedError(Exception):
    """Somebody ended the run: not one of its failures, which it would survive and go on after."""

    outcome = "failed"


class TimedOutError(EndedError):
    outcome = "timeout"


# The classes with their exit status (sysexits.h where it has one), the least bad first.
EXIT = {"ok": 0, "skipped": 75, "remote": 69, "space": 73, "failed": 1, "damaged": 65, "timeout": 124, "config": 78}


def worst(classes: t.Iterable[str]) -> str:
    order = list(EXIT)
    return max(classes, key=order.index, default="ok")


@dataclass(frozen=True)
class Record:
    """What is known of a job after its last run; times in seconds since 1970, 0 for never."""

    started: float = 0
    finished: float = 0
    succeeded: float = 0
    outcome: str = ""
    message: str = ""
    failures: int = 0  # in a row
    skipped: int = 0  # ever

    @property
    def seconds(self) -> float:
        return max(0.0, self.finished - self.started)

    @property
    def running(self) -> bool:
        return self.started > self.finished


def begin(record: Record, now: float) -> Record:
    """A run begins. One that never finished was killed, and counts as failed."""
    killed = record.running
    return replace(
        record,
        started=now,
        failures=record.failures + killed,
        outcome="failed" if killed else record.outcome,
        message="the run before was killed" if killed else record.message,
    )


def finish(record: Record, outcome: str, message: str, now: float) -> Record:
    ok = outcome == "ok"
    return replace(
        record,
        finished=max(now, record.started),
        succeeded=now if ok else record.succeeded,
        outcome=outcome,
        message=message,
        failures=0 if ok else record.failures + 1,
    )


def skip(record: Record) -> Record:
    return replace(record, skipped=record.skipped + 1)


def news(before: str, after: str) -> str:
    """The subject of a mail when the state changed, else nothing: a first good run is no news."""
    if after == before or (after == "ok" and not before):
        return ""
    return "works again" if after == "ok" else f"fails: {after}"
