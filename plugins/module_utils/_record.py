# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The rollouts of a run, put together from the results of its tasks, and as a report."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from xml.etree import ElementTree

from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import NO_BATCH
from ansible_collections.evenkeel.fleet.plugins.module_utils._steps import LEASE, PLAN, Event, step_of

UNFINISHED, UNREACHABLE, FAILED = "unfinished", "unreachable", "failed"
GOOD = "kept"


@dataclass
class Rollout:
    """One rollout of one or more services: what was planned, and what became of it."""

    rollout: str
    owner: str
    started: float
    plan: t.Mapping[str, t.Mapping[str, t.Any]]
    events: list[Event] = field(default_factory=list)

    def hosts(self) -> dict[str, t.Mapping[str, t.Any]]:
        return {host: plan for host, plan in self.plan.items() if plan["batch"] != NO_BATCH}

    def of(self, host: str) -> list[Event]:
        # Of a task that runs once, the host on which it does so means nothing.
        return [event for event in self.events if event.host == host and not event.run_once]


class Recorder:
    """Takes the results of a run one by one, and knows its rollouts."""

    def __init__(self) -> None:
        self.rollouts: list[Rollout] = []
        self._before: list[Event] = []

    def add(self, event: Event) -> None:
        if event.action == PLAN and event.outcome == "ok":
            self._plan(event)
        elif (event.failed and not event.is_loop) or step_of(event) or _entry(event):
            # Releases are staged before it is known whether there is anything to roll out.
            (self.rollouts[-1].events if self.rollouts else self._before).append(event)

    def _plan(self, event: Event) -> None:
        rollout, hosts = event.result["rollout"], event.result["hosts"]
        if self.rollouts and self.rollouts[-1].rollout == rollout:
            self.rollouts[-1].plan = hosts
            if not event.result["needed"]:
                self.rollouts.pop()
        elif event.result["needed"]:
            self.rollouts.append(Rollout(rollout, event.result["owner"], event.at, hosts, self._before))
            self._before = []


def _entry(event: Event) -> t.Mapping[str, t.Any]:
    """What the task wrote into the journal."""
    arguments = event.result.get("invocation", {}).get("module_args", {})
    if event.action != LEASE or event.failed or arguments.get("state") != "released":
        return {}
    return t.cast("t.Mapping[str, t.Any]", arguments.get("entry") or {})


def report(rollout: Rollout, ended: float) -> dict[str, t.Any]:
    """All of a rollout as plain data."""
    services: dict[str, dict[str, t.Any]] = {}
    for host, plan in rollout.hosts().items():
        service = services.setdefault(plan["service"], {"outcome": "", "cause": "", "hosts": {}})
        service["hosts"][host] = _host(plan, rollout.of(host))
    for service in services.values():
        hosts = service["hosts"].values()
        service["outcome"] = _common([host["outcome"] for host in hosts])
        service["cause"] = next((host["cause"] for host in hosts if host["cause"]), "")
        service["cut_connections"] = sum(host["cut_connections"] for host in hosts)
    return {
        "rollout": rollout.rollout,
        "owner": rollout.owner,
        "started": round(rollout.started, 3),
        "seconds": round(ended - rollout.started, 3),
        "outcome": _common([service["outcome"] for service in services.values()]),
        "cause": next((service["cause"] for service in services.values() if service["cause"]), ""),
        "services": services,
    }


def _common(outcomes: t.Sequence[str]) -> str:
    """The outcome that all share, or the first that is not good."""
    return next((outcome for outcome in outcomes if outcome != GOOD), GOOD)


def _host(plan: t.Mapping[str, t.Any], events: t.Sequence[Event]) -> dict[str, t.Any]:
    steps = [(event, step_of(event)) for event in events]
    failures = [event for event in events if event.failed]
    entry = next((_entry(event) for event in reversed(events) if _entry(event)), {})
    lost = UNREACHABLE if any(event.outcome == "unreachable" for event in failures) else FAILED
    return {
        "from": plan["release_from"],
        "to": plan["release_to"],
        "slot": plan["new_slot"],
        "batch": plan["batch"] + 1,
        "outcome": entry.get("outcome") or (lost if failures else UNFINISHED),
        "cause": failures[0].message if failures else "",
        "cut_connections": sum(step.cut for _event, step in steps if step),
        "steps": [_step(event, step.name, step.did) for event, step in steps if step]
        + [_step(event, "failure", event.message) for event in failures],
    }


# How exposed the release runs, and what a gate saw, is worth keeping, good or not.
_EVIDENCE = ("exposure", "looks", "timeline", "cause", "journal")


def _step(event: Event, name: str, text: str) -> dict[str, t.Any]:
    return {
        "step": name,
        "text": text,
        "task": event.task,
        "ok": not event.failed,
        "at": round(event.at, 3),
        "seconds": round(event.seconds, 3),
        **{key: event.result[key] for key in _EVIDENCE if event.result.get(key)},
    }


def junit(data: t.Mapping[str, t.Any]) -> str:
    """A report as JUnit: a suite for each service, a case for each host and step."""
    root = ElementTree.Element("testsuites", name=data["rollout"], time=str(data["seconds"]))
    for name, service in data["services"].items():
        suite = ElementTree.SubElement(root, "testsuite", name=name)
        cases = [(host, step) for host, seen in service["hosts"].items() for step in seen["steps"]]
        for host, step in cases:
            label = step["task"] if step["step"] == "failure" else step["text"]
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{name}.{host}", name=label, time=str(step["seconds"])
            )
            if not step["ok"]:
                ElementTree.SubElement(case, "failure", message=_printable(step["text"])).text = _printable(
                    "\n".join(step.get("journal", []))
                )
        # The last word on each host, so that a host that never had a step is there as well.
        for host, seen in service["hosts"].items():
            label = f"{seen['from'] or 'nothing'} -> {seen['to']}"
            case = ElementTree.SubElement(suite, "testcase", classname=f"{name}.{host}", name=label, time="0")
            if seen["outcome"] != GOOD:
                ElementTree.SubElement(case, "failure", message=f"{seen['outcome']}: {service['cause']}")
        bad = [case for case in suite if len(case)]
        suite.attrib |= {"tests": str(len(suite)), "failures": str(len(bad)), "errors": "0"}
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """XML has no way to write most control characters, and a service's last words may hold any."""
    return "".join(char if char in "\n\t" or char.isprintable() else "?" for char in text)
