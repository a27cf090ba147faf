# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. A gate: probes with memory, a deadline, and a verdict that says why."""

from __future__ import annotations

import json
import math
import re
import typing as t
from dataclasses import dataclass

BODY_SHOWN = 300


@dataclass(frozen=True)
class Answer:
    """What one look at the instance gave. ``final`` means that looking again cannot help."""

    ok: bool
    text: str
    final: bool = False


@dataclass(frozen=True)
class Policy:
    """When a gate opens: ``successes`` good looks in a row that span ``min_healthy`` seconds, within ``timeout``."""

    successes: int = 3
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
    """``cause`` is what was wrong at the last bad look; ``timeline`` has equal looks in a row as one entry."""

    healthy: bool
    cause: str
    looks: int
    seconds: float
    timeline: tuple[dict[str, t.Any], ...]


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
    cause = ""
    timeline: list[dict[str, t.Any]] = []

    def verdict(healthy: bool) -> Verdict:
        return Verdict(healthy, "" if healthy else cause, looks, round(now() - started, 3), tuple(timeline))

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
                return verdict(True)
        else:
            streak, cause = 0, answer.text
            if answer.final:
                return verdict(False)
        if now() - started + policy.interval > policy.timeout:
            cause = cause or f"good, but for less than {policy.min_healthy} s and {policy.successes} looks in a row"
            return verdict(False)
        sleep(policy.interval)


def _remember(timeline: list[dict[str, t.Any]], at: float, answer: Answer) -> None:
    if timeline and (timeline[-1]["ok"], timeline[-1]["text"]) == (answer.ok, answer.text):
        timeline[-1]["times"] += 1
    else:
        timeline.append({"at": at, "ok": answer.ok, "text": answer.text, "times": 1})


def judge_http(
    name: str,
    status: int,
    body: str,
    wanted_status: t.Collection[int],
    wanted_json: t.Mapping[str, t.Any],
    wanted_body: str | None,
) -> Answer:
    """Whether an HTTP answer is the wanted one. An answer that cannot be read counts as bad."""
    if status not in wanted_status:
        wants = " or ".join(str(number) for number in sorted(wanted_status))
        return Answer(False, f"{name} answered {status}, wanted {wants}{_shown(body)}")
    if wanted_body is not None and re.search(wanted_body, body) is None:
        return Answer(False, f"{name} answered {status}, but its body does not match {wanted_body!r}{_shown(body)}")
    if wanted_json:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return Answer(False, f"{name} answered {status}, but its body is not JSON{_shown(body)}")
        for path, wanted in wanted_json.items():
            found, seen = json_at(document, path)
            if not found:
                return Answer(False, f"{name} answered {status}, but has no {path}, wanted {wanted!r}{_shown(body)}")
            if not _equal(seen, wanted):
                return Answer(False, f"{name} answered {status}, but {path} is {seen!r}, wanted {wanted!r}")
    return Answer(True, f"{name} answered {status}")


def json_at(document: t.Any, path: str) -> tuple[bool, t.Any]:
    """Whether there is something at a path such as C(data.0.version), and what."""
    for step in path.split("."):
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return False, None
    return True, document


def judge_unit(unit: str, before: t.Mapping[str, str], seen: t.Mapping[str, str]) -> Answer:
    """Whether a unit still runs as the same process as at the first look. A restart is final: it crashed."""
    state = f"{seen.get('ActiveState')} ({seen.get('SubState')}, {seen.get('Result')})"
    if seen.get("ActiveState") in ("failed", "inactive"):
        return Answer(False, f"{unit} is {state}, wanted active", final=True)
    for key in ("InvocationID", "NRestarts"):
        if seen.get(key) != before.get(key):
            return Answer(False, f"{unit} did not stay up: systemd restarted it ({state})", final=True)
    if int(seen.get("NRestarts") or 0) > 0:
        return Answer(False, f"{unit} did not stay up: systemd restarted it {seen['NRestarts']} times", final=True)
    if seen.get("ActiveState") != "active":
        return Answer(False, f"{unit} is {state}, wanted active")
    return Answer(True, f"{unit} is active")


def together(answers: t.Sequence[Answer]) -> Answer:
    """All probes must hold; the first bad one is the cause, a final one before all others."""
    bad = [answer for answer in answers if not answer.ok]
    if bad:
        return next((answer for answer in bad if answer.final), bad[0])
    return Answer(True, "; ".join(answer.text for answer in answers))


def _equal(seen: t.Any, wanted: t.Any) -> bool:
    if isinstance(wanted, str) and isinstance(seen, (bool, int, float)):
        return json.dumps(seen) == wanted
    return type(seen) is type(wanted) and bool(seen == wanted)


def _shown(body: str) -> str:
    text = " ".join(body.split())
    return f": {text[:BODY_SHOWN]}" if text else ""
