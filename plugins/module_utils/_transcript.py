# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. A run of Ansible as the lines that a person wants to read."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _record
from ansible_collections.evenkeel.fleet.plugins.module_utils._steps import LEASE, VERDICT, Event, step_of

# From here on, a list of hosts is shortened.
MANY = 8
# Of what an instance wrote, the beginning of each line; -v and the report have all of it.
LONGEST = 160
INDENT = "    "


class Line(t.NamedTuple):
    """A line of output. ``kind`` is play, plain, ok, changed, error, unreachable or skip, and decides the colour."""

    text: str
    kind: str = "plain"


class Transcript:
    """Takes what happens in a run, and gives back the lines to print then and there.

    What hosts do alike is told once for all of them, when the next task starts. The steps of a rollout are one line for
    each host, when its phase is over. A failure is told at once.
    """

    def __init__(self, check: bool = False) -> None:
        self.recorder = _record.Recorder()
        self._check = check
        self._heading: list[Line] = []
        self._task = ""
        self._phase = ""
        self._batch = -1
        self._failed_services: t.Collection[str] = ()
        self._alike: dict[str, list[str]] = {}
        self._steps: dict[str, list[str]] = {}
        self._failures: dict[str, str] = {}
        self._explained: set[tuple[str, str]] = set()

    # ---- what happens

    def play(self, name: str) -> list[Line]:
        """A play starts. It is named with its first task: one without hosts has nothing to tell."""
        lines = self._flush()
        self._heading = [Line(f"PLAY [{name}]", "play")]
        return lines

    def task(self, name: str, action: str, batch: int | None = None) -> list[Line]:
        """A task starts; ``batch`` is the one that a rollout is about to try."""
        lines, self._heading = self._heading, []
        if phase_of(name) != self._phase:
            lines += self._flush_steps()
        if name != self._task:
            lines += self._flush_alike()
        self._task, self._phase = name, phase_of(name)
        if batch is not None and batch != self._batch and action not in (LEASE, VERDICT):
            self._batch = batch
            lines += self._announce(batch)
        return lines

    def result(self, event: Event, said: str = "", rest: str = "") -> list[Line]:
        """A task has ended on a host. ``said`` is what it wants to be read, ``rest`` what else it returned."""
        self.recorder.add(event)
        if event.action == VERDICT:
            self._failed_services = event.result.get("failed_services", ())
        if event.failed:
            return self._failure(event, rest)
        if event.outcome == "ignored":
            return [Line(f"{event.host}: ignored: {cause_of(event)} [{event.task}]", "skip")]
        if said and said != self._failures.get(event.host):
            return _said("" if event.run_once else event.host, said)
        self._note(event)
        return []

    def diff(self, host: str, task: str, text: str) -> list[Line]:
        """A difference is shown where it belongs."""
        return [Line(f"{host}: [{task}]", "changed"), *map(Line, text.rstrip("\n").splitlines())]

    def end(self, stats: t.Mapping[str, t.Mapping[str, int]], seconds: float, now: float) -> list[Line]:
        """The run is over; ``stats`` are Ansible's counters for each host."""
        lines = self._flush()
        if not self._check:
            for rollout in self.recorder.rollouts:
                lines += _summary(_record.report(rollout, now))
        # Of a task that runs once, the host on which it does so means nothing.
        failed = [host for host, counts in stats.items() if counts["failures"] and host in self._failures]
        lost = [host for host, counts in stats.items() if counts["unreachable"]]
        lines += [Line(f"unreachable: {', '.join(lost)}", "unreachable")] if lost else []
        lines += [Line(f"failed: {', '.join(failed)}", "error")] if failed else []
        total = {name: sum(counts[name] for counts in stats.values()) for name in COUNTERS}
        counted = " ".join(f"{COUNTERS[name]}={count}" for name, count in total.items())
        bad = total["failures"] or total["unreachable"]
        kind = "error" if bad else "changed" if total["changed"] else "ok"
        return [*lines, Line(f"{_count(len(stats), 'host')}: {counted} in {seconds:.0f} s", kind)]

    # ---- how it is told

    def _note(self, event: Event) -> None:
        step = step_of(event)
        if step is None:
            if event.outcome == "changed" and not (event.is_ours and event.is_loop):
                items = f" ({', '.join(event.items)})" if event.items else ""
                verb = "would change" if self._check else "changed"
                self._alike.setdefault(f"{verb} [{event.task}]{items}", []).append(event.host)
            return
        text = f"would {step.do}" if self._check else step.did
        if step.common:
            self._alike.setdefault(text, []).append(event.host)
        else:
            self._steps.setdefault(event.host, []).append(text)

    def _announce(self, batch: int) -> list[Line]:
        plan = self.recorder.rollouts[-1].hosts() if self.recorder.rollouts else {}
        left = {host: p for host, p in plan.items() if p["service"] not in self._failed_services}
        hosts = [host for host, p in left.items() if p["batch"] == batch]
        total = max((p["batch"] for p in left.values()), default=0) + 1
        return [Line(f"batch {batch + 1} of {total}: {host_list(hosts)}")] if hosts and not self._check else []

    def _failure(self, event: Event, rest: str) -> list[Line]:
        told = any(message in event.message for message in self._failures.values())
        if not event.run_once:
            self._failures[event.host] = event.message
        before = self._steps.pop(event.host, [])
        lines = self._flush()
        word, kind = ("UNREACHABLE", "unreachable") if event.outcome == "unreachable" else ("FAILED", "error")
        first, *more = cause_of(event).splitlines()
        lines += [Line(f"{'' if event.run_once else event.host + ': '}{word}: {first}", kind)]
        lines += [Line(INDENT + line, kind) for line in more]
        # What ten hosts have to say is read once, and so is what a verdict repeats.
        if not (told and event.run_once) and (event.task, cause_of(event)) not in self._explained:
            self._explained.add((event.task, cause_of(event)))
            lines += [Line(INDENT + text) for text in _explanation(event, before, rest)]
        return lines

    def _flush(self) -> list[Line]:
        return self._flush_alike() + self._flush_steps()

    def _flush_alike(self) -> list[Line]:
        told, self._alike = self._alike, {}
        return [Line(f"{host_list(hosts)}: {text}", "changed") for text, hosts in told.items()]

    def _flush_steps(self) -> list[Line]:
        told, self._steps = self._steps, {}
        return [Line(f"{host}: {', '.join(steps)}", "changed") for host, steps in told.items()]


COUNTERS = {
    "ok": "ok",
    "changed": "changed",
    "unreachable": "unreachable",
    "failures": "failed",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}


def phase_of(task: str) -> str:
    """The tasks of a role begin with the name of their file; those of one file belong together."""
    return task.partition(" | ")[0] if " | " in task else task


def cause_of(event: Event) -> str:
    """Why a task failed: what it said, and of a command its last word."""
    last = str(event.result.get("stderr") or "").strip().splitlines()[-1:]
    items = [f"item {item}" for item in event.items]
    return ": ".join([*items, event.message.strip() or "it did not say why", *last])


def host_list(names: t.Iterable[str]) -> str:
    """The hosts in the order in which people count them; of many, the first and the last."""
    hosts = sorted(names, key=lambda name: [part.zfill(9) for part in re.split(r"(\d+)", name)])
    if len(hosts) <= MANY:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:3])} ... {hosts[-1]} ({len(hosts)} hosts)"


def progress(task: str, waiting: t.Sequence[str], total: int, width: int) -> str:
    """What is being waited for, on one line of a terminal."""
    text = f"{total - len(waiting)}/{total} {task}: {', '.join(waiting)}"
    return text if len(text) < width else text[: max(0, width - 4)] + "..."


def _explanation(event: Event, before: t.Sequence[str], rest: str) -> t.Iterator[str]:
    yield f"task     {event.task}"
    if event.path:
        yield f"file     {event.path}"
    if before:
        yield f"before   {', '.join(before)}"
    for seen in event.result.get("timeline", []):
        times = f" ({seen['times']} times)" if seen.get("times", 1) > 1 else ""
        yield f"{seen['at']:5.1f} s  {_shortened(' '.join(str(seen['text']).split()))}{times}"
    journal = event.result.get("journal", [])
    if journal:
        yield "journal"
        yield from (f"  {_shortened(line)}" for line in journal)
    yield from rest.strip("\n").splitlines() if rest.strip() else ()


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def _said(host: str, text: str) -> list[Line]:
    first, *more = text.strip("\n").splitlines() or [""]
    if not more:
        return [Line(f"{host}: {first}" if host else first, "ok")]
    return [*([Line(f"{host}:", "ok")] if host else []), *(Line(line, "ok") for line in (first, *more))]


def _summary(data: t.Mapping[str, t.Any]) -> t.Iterator[Line]:
    for name, service in data["services"].items():
        releases = list(dict.fromkeys(host["to"] for host in service["hosts"].values()))
        good = service["outcome"] == _record.GOOD
        cut = service["cut_connections"]
        yield Line(
            f"{name} {', '.join(releases)}: {service['outcome']} on {_count(len(service['hosts']), 'host')}"
            f" in {data['seconds']:.1f} s, {_count(cut, 'connection')} cut",
            "changed" if good else "error",
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
