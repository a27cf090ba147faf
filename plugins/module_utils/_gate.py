# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. A gate: probes with memory, a deadline, and a verdict that says why."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._answer import Answer

ENTRIES_SHOWN = 20


@dataclass(frozen=True)
class Policy:
    """When a gate opens: ``successes`` good looks in a row that span ``min_healthy`` seconds, within ``timeout``."""

    successes: float = 3
    interval: float = 0.5
    min_healthy: float = 0.0
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.successes < 1:
            raise ValueError(f"successes is {self.successes}; it wants 1 or more")
        if self.interval <= 0 or self.timeout <= 0:
            raise ValueError(
                f"interval is {self.interval} and timeout is {self.timeout}; both want more than 0 seconds"
            )
        # Health is seen at looks only, so the last one may come after min_healthy.
        waits = max(self.successes - 1, math.ceil(self.min_healthy / self.interval))
        if waits * self.interval > self.timeout:
            raise ValueError(
                f"timeout is {self.timeout} s, but {self.successes} looks every {self.interval} s "
                f"and {self.min_healthy} s of health take {waits * self.interval} s"
            )


@dataclass(frozen=True)
class Verdict:
    """``cause`` is how an instance that had been good became bad first, with what that look expected and got.

    One that never was good had to start first, so there the last look counts. ``last`` is what was wrong at the last
    bad look, and ``body`` what it read. ``timeline`` has equal looks in a row as one entry.
    """

    healthy: bool
    cause: str
    last: str
    expected: str
    got: str
    body: str
    looks: int
    seconds: float
    timeline: tuple[dict[str, t.Any], ...]

    @property
    def sentence(self) -> str:
        """Why the gate stayed shut. What came first explains what came of it."""
        ended = f"; at last: {self.last}" if self.last != self.cause else ""
        return f"not healthy after {self.seconds:.1f} s: {self.cause}{ended}"


def watch(
    look: t.Callable[[], Answer],
    policy: Policy,
    now: t.Callable[[], float],
    sleep: t.Callable[[float], None],
) -> Verdict:
    """Look until the gate opens or can no longer open. Any bad look starts the count anew."""
    started = now()
    looks = streak = 0
    streak_began = started
    relapse: Answer | None = None
    bad: Answer | None = None
    timeline: list[dict[str, t.Any]] = []

    def opened() -> Verdict:
        return Verdict(True, "", "", "", "", "", looks, round(now() - started, 3), _shortened(timeline))

    def shut() -> Verdict:
        last = bad or Answer(
            False, f"good, but for less than {policy.min_healthy} s and {policy.successes} looks in a row"
        )
        cause = relapse or last
        seconds = round(now() - started, 3)
        details = (cause.expected, cause.got, last.body, looks, seconds)
        return Verdict(False, cause.text, last.text, *details, _shortened(timeline))

    while True:
        at = now()
        answer = look()
        looks += 1
        _remember(timeline, round(at - started, 3), answer)
        if answer.ok:
            streak += 1
            if streak == 1:
                streak_began = at
            if streak >= policy.successes and now() - streak_began >= policy.min_healthy:
                return opened()
        else:
            if streak and not relapse:
                relapse = answer
            streak, bad = 0, answer
            if answer.final:
                return shut()
        if now() - started + policy.interval > policy.timeout:
            return shut()
        sleep(policy.interval)


def _remember(timeline: list[dict[str, t.Any]], at: float, answer: Answer) -> None:
    if timeline and (timeline[-1]["ok"], timeline[-1]["text"]) == (answer.ok, answer.text):
        timeline[-1]["times"] += 1
    else:
        timeline.append({"at": at, "ok": answer.ok, "text": answer.text, "times": 1})


def _shortened(timeline: t.Sequence[dict[str, t.Any]]) -> tuple[dict[str, t.Any], ...]:
    """How it began and how it ended; what flapped in between is one entry."""
    if len(timeline) <= ENTRIES_SHOWN:
        return tuple(timeline)
    head, tail = ENTRIES_SHOWN // 2, ENTRIES_SHOWN - ENTRIES_SHOWN // 2 - 1
    between = timeline[head:-tail]
    text = f"went on like this, {sum(not entry['ok'] for entry in between)} times bad"
    gap = {"at": between[0]["at"], "ok": False, "text": text, "times": sum(entry["times"] for entry in between)}
    return (*timeline[:head], gap, *timeline[-tail:])
