# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a probe saw, and whether it is what was wanted."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field, replace

BODY_SHOWN = 300
BODY_KEPT = 2000
WORDS_KEPT = 200
NOBODY = "nobody listens"

# What systemd writes into a unit's journal when its process ends.
ENDED = re.compile(r": Main process exited, code=(exited|killed|dumped), status=(\S+)$")


@dataclass(frozen=True)
class Answer:
    """What one look at the instance gave. ``final`` means that looking again cannot help."""

    ok: bool
    text: str
    final: bool = False
    expected: str = field(default="", compare=False)
    got: str = field(default="", compare=False)
    body: str = field(default="", compare=False)


@dataclass(frozen=True)
class WantedReply:
    """What an HTTP answer must be like. ``max_latency`` is in seconds; None is no budget."""

    status: t.Collection[int] = (200,)
    json: t.Mapping[str, t.Any] = field(default_factory=dict)
    body: str | None = None
    max_latency: float | None = None


def judge_http(name: str, status: int, body: str, seconds: float, wanted: WantedReply) -> Answer:
    """Whether an HTTP answer is the wanted one. An answer that cannot be read counts as bad."""

    def bad(text: str, expected: str, got: str, shown: str = "") -> Answer:
        return Answer(False, f"{name} answered {text}{shown}", expected=expected, got=got, body=body[:BODY_KEPT])

    if status not in wanted.status:
        wants = " or ".join(str(number) for number in sorted(wanted.status))
        return bad(f"{status}, wanted {wants}", f"status {wants}", f"status {status}", _shown(body))
    if wanted.body is not None and re.search(wanted.body, body) is None:
        text = f"{status}, but its body does not match {wanted.body!r}"
        return bad(text, f"a body that matches {wanted.body!r}", "one that does not", _shown(body))
    if wanted.json:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return bad(f"{status}, but its body is not JSON", "JSON", "something else", _shown(body))
        for path, value in wanted.json.items():
            found, seen = json_at(document, path)
            expected = f"{path} is {value!r}"
            if not found:
                return bad(f"{status}, but has no {path}, wanted {value!r}", expected, f"no {path}", _shown(body))
            if not _equal(seen, value):
                return bad(f"{status}, but {path} is {seen!r}, wanted {value!r}", expected, f"{path} is {seen!r}")
    if wanted.max_latency is not None and seconds > wanted.max_latency:
        # The figure differs from look to look, and a timeline shows equal texts once.
        text = f"{status}, but only after more than {wanted.max_latency} s"
        return bad(text, f"an answer within {wanted.max_latency} s", f"one after {seconds:.3f} s")
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


def ending_of(journal: t.Sequence[str]) -> str:
    """How the process of a unit ended last and what was said just before, by the unit's journal; else nothing."""
    for number, line in reversed(list(enumerate(journal))):
        found = ENDED.search(line)
        if found:
            how = f"it exited with {found[2]}" if found[1] == "exited" else f"it was killed by signal {found[2]}"
            last = journal[number - 1][:WORDS_KEPT] if number else ""
            return how if not last or last.startswith("Start") else f"{how} and said last: {last}"
    return ""


def judge_unit(
    unit: str, before: t.Mapping[str, str], seen: t.Mapping[str, str], ending: str = "", restarts: int = 0
) -> Answer:
    """Whether a unit still runs as the same process as at the first look. A restart is final: it crashed.

    systemd counts restarts from the start that somebody asked for, so one between two gates is seen as well; of them
    ``restarts`` are none of our business. How the process ended, where that is known, says more than what systemd did
    about it.
    """
    state = f"{seen.get('ActiveState')} ({seen.get('SubState')}, {seen.get('Result')})"

    def bad(text: str, final: bool, expected: str = "active", got: str = state) -> Answer:
        return Answer(False, f"{unit} {text}", final, expected=expected, got=got)

    if seen.get("ActiveState") in ("failed", "inactive"):
        return bad(f"is {state}, wanted active{ending and f': {ending}'}", final=True)
    for key in ("InvocationID", "NRestarts"):
        if seen.get(key) != before.get(key):
            text = f"did not stay up: {ending or f'systemd restarted it ({state})'}"
            return bad(text, True, f"{key} {before.get(key)}", f"{key} {seen.get(key)}")
    if int(seen.get("NRestarts") or 0) > restarts:
        times = f"systemd restarted it {seen['NRestarts']} times"
        text = f"did not stay up: {f'{ending} ({times})' if ending else times}"
        return bad(text, True, f"NRestarts {restarts}", f"NRestarts {seen['NRestarts']}")
    if seen.get("ActiveState") != "active":
        return bad(f"is {state}, wanted active", final=False)
    return Answer(True, f"{unit} is active")


def judge_listener(unit: str, port: int, listening: t.Collection[str], strangers: t.Collection[str]) -> Answer:
    """Whether a port is listened to by a unit, and by nobody else."""
    expected = f"{unit} alone listens on port {port}"
    if strangers:
        got = f"{', '.join(sorted(strangers))} listens"
        return Answer(False, f"port {port} does not belong to {unit}: {got} there", expected=expected, got=got)
    if not listening:
        return Answer(False, f"{unit} does not listen on port {port}", expected=expected, got=NOBODY)
    return Answer(True, f"{unit} listens on port {port}")


def judge_together(unit: Answer, listener: Answer) -> Answer:
    """A unit and its port as one. Who took the port explains why a unit does not stay up."""
    if unit.ok:
        return listener
    if listener.ok or listener.got == NOBODY:
        return unit
    return replace(unit, text=f"{unit.text}; {listener.text}", expected=listener.expected, got=listener.got)


def judge_command(name: str, status: int, output: str, wanted_status: int, wanted_output: str | None) -> Answer:
    """Whether a command ended as wanted. A negative status is the signal that ended it."""
    body = output[:BODY_KEPT]
    if status != wanted_status:
        seen = f"signal {-status}" if status < 0 else str(status)
        text = f"{name} ended with {seen}, wanted {wanted_status}{_shown(output)}"
        return Answer(False, text, expected=f"exit status {wanted_status}", got=seen, body=body)
    if wanted_output is not None and re.search(wanted_output, output) is None:
        text = f"{name} ended with {status}, but its output does not match {wanted_output!r}{_shown(output)}"
        return Answer(False, text, expected=f"output that matches {wanted_output!r}", got="other output", body=body)
    return Answer(True, f"{name} ended with {status}")


def judge_row(name: str, row: t.Sequence[t.Any] | None, wanted: str | None) -> Answer:
    """Whether the first row that a query gave begins with the wanted value; without one, any row will do."""
    expected = "a row" if wanted is None else repr(wanted)
    if not row:
        return Answer(False, f"{name} gave no row, wanted {expected}", expected=expected, got="no row")
    seen = str(row[0])
    if wanted is not None and seen != wanted:
        shown = repr(seen[:BODY_SHOWN])
        return Answer(False, f"{name} gave {shown}, wanted {expected}", expected=expected, got=shown)
    return Answer(True, f"{name} answered")


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
