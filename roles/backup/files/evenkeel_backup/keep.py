# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Retention: which backups of a set stay, and which may go. Pure: the same code plans, shows and decides."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

AT_LEAST = 3  # verified backups stay, whatever the policy says
CLOCK_SKEW = timedelta(minutes=5)
SHRUNK = 0.5  # of the usual size
PERIODS: dict[str, t.Callable[[datetime], t.Hashable]] = {
    "daily": lambda when: when.date(),
    "weekly": lambda when: when.isocalendar()[:2],
    "monthly": lambda when: (when.year, when.month),
    "yearly": lambda when: when.year,
}


@dataclass(frozen=True)
class Policy:
    """How many of the newest stay, and for how many of the latest days, weeks... that have one the newest stays."""

    last: int = AT_LEAST
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0


@dataclass(frozen=True)
class Backup:
    id: str
    taken: datetime
    verified: bool
    bytes: int = 0


@dataclass
class Plan:
    reasons: dict[str, list[str]] = field(default_factory=dict)  # why a backup stays, by its id
    remove: list[str] = field(default_factory=list)  # oldest first
    stopped: str = ""  # why nothing goes at all


def plan(backups: t.Iterable[Backup], policy: Policy, now: datetime) -> Plan:
    """What is not verified is kept by no rule and counted by none; it goes once enough verified ones are newer."""
    history = sorted(backups, key=lambda backup: (backup.taken, backup.id))
    verified = [backup for backup in history if backup.verified]
    result = Plan(reasons={backup.id: [] for backup in history})
    for backup in verified[-max(policy.last, AT_LEAST) :]:
        result.reasons[backup.id].append("last")
    for period, key in PERIODS.items():
        newest = {key(backup.taken): backup for backup in verified}
        count = getattr(policy, period)
        for backup in list(newest.values())[-count:] if count else []:
            result.reasons[backup.id].append(period)
    enough = verified[-AT_LEAST].taken if len(verified) >= AT_LEAST else None
    for backup in history:
        if not backup.verified and (enough is None or backup.taken >= enough):
            result.reasons[backup.id].append("not verified, and too few newer ones are")
    spare = [backup.id for backup in history if not result.reasons[backup.id]]
    result.stopped = wrong(history, now)
    if not result.stopped:
        # A policy that was cut down, by mistake perhaps, is followed slowly: there is time to notice.
        result.remove = spare[: max(AT_LEAST, len(history) // 5)]
    for name in spare:
        result.reasons[name].append("retention is stopped" if result.stopped else "goes with a later run")
    for name in result.remove:
        del result.reasons[name]
    return result


def wrong(history: t.Sequence[Backup], now: datetime) -> str:
    """Why the history, oldest first, or the clock cannot be trusted; nothing if they can."""
    if not history:
        return ""
    newest = history[-1]
    if newest.taken > now + CLOCK_SKEW:
        return f"{newest.id} was taken in the future: the clock is wrong, or was; set it right, or remove that backup"
    if not newest.verified:
        return f"{newest.id}, the newest, is not verified"
    if len({backup.id for backup in history}) < len(history):
        return "two backups have one name"
    if shrunk(newest.bytes, [backup.bytes for backup in history[:-1] if backup.verified]):
        return f"{newest.id} is less than half as large as the ones before; old ones stay until two more look like it"
    return ""


def shrunk(newest: int, before: t.Sequence[int]) -> bool:
    """Whether a backup is suspiciously small beside the last few."""
    recent = sorted(before[-AT_LEAST:])
    return bool(recent) and newest < SHRUNK * recent[len(recent) // 2]
