# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The five fields of cron: when a job was due, and how far apart its runs are."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FARTHEST = timedelta(days=8 * 366)  # a 29th of February may be that far away


@dataclass(frozen=True)
class Schedule:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool  # cron's rule: where both kinds of day are restricted, one of them is enough

    def has_day(self, when: datetime) -> bool:
        if when.month not in self.months:
            return False
        day, weekday = when.day in self.days, when.isoweekday() % 7 in self.weekdays
        return day or weekday if self.either_day else day and weekday

    def before(self, when: datetime) -> datetime | None:
        """The latest time it was due, not after `when`; None if there is none for years."""
        day = when.replace(second=0, microsecond=0)
        latest = day
        while latest - day < FARTHEST:
            if self.has_day(day):
                limit = (day.hour, day.minute) if day.date() == latest.date() else (23, 59)
                times = [(hour, minute) for hour in self.hours for minute in self.minutes if (hour, minute) <= limit]
                if times:
                    hour, minute = max(times)
                    return day.replace(hour=hour, minute=minute)
            day -= timedelta(days=1)
        return None

    def widest(self, when: datetime, runs: int = 100) -> timedelta:
        """The longest time between two runs, of the last so many."""
        gap = timedelta(0)
        later = self.before(when)
        for _run in range(runs):
            earlier = self.before(later - timedelta(minutes=1)) if later else None
            if later is None or earlier is None:
                break
            gap = max(gap, later - earlier)
            later = earlier
        return gap


def parse(text: str) -> Schedule:
    fields = NAMED.get(text, text).split()
    if len(fields) != 5:
        raise ValueError(f"wanted five cron fields such as '0 2 * * *', got '{text}'")
    return Schedule(
        minutes=_field(fields[0], 0, 59),
        hours=_field(fields[1], 0, 23),
        days=_field(fields[2], 1, 31),
        months=_field(fields[3], 1, 12, MONTHS, 1),
        weekdays=frozenset(day % 7 for day in _field(fields[4], 0, 7, WEEKDAYS, 0)),
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def _field(text: str, low: int, high: int, names: t.Sequence[str] = (), first: int = 0) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _slash, step = part.partition("/")
        begin, dash, end = span.partition("-")
        try:
            start = low if begin == "*" else _number(begin, names, first)
            stop = _number(end, names, first) if dash else high if begin == "*" or step else start
            every = int(step or 1)
        except ValueError:
            raise ValueError(f"'{part}' is no cron field") from None
        if not (low <= start <= stop <= high and every > 0):
            raise ValueError(f"'{part}' is outside of {low} to {high}")
        found.update(range(start, stop + 1, every))
    return frozenset(found)


def _number(text: str, names: t.Sequence[str], first: int) -> int:
    return names.index(text.lower()) + first if text.lower() in names else int(text)


def overdue(schedule: Schedule, started: float, now: float, grace: float) -> bool:
    """Whether a run was due for at least `grace` seconds and has not begun: the host was off, or cron was."""
    due = schedule.before(datetime.fromtimestamp(now - grace))  # in the host's time zone, like cron
    return due is not None and started < due.timestamp()
