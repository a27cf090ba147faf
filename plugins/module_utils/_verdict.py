# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Judges a rollout from what became of its hosts, and says what is to be done about it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import CLOSED, SLOTS
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import IN_PLACE, NO_BATCH, HostPlan

NO_STEP = -1

Failed = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Verdict:
    """``failed`` has, by service, the hosts that failed and why; ``begun`` the last batch that began, by service.

    ``opened`` has the last batch that got users, by service. ``stranded`` are the hosts that could not be reached or
    brought back. ``kept`` are the services whose release was kept before one of their hosts failed: the others stay on
    it.
    """

    failed: Failed
    begun: t.Mapping[str, int]
    opened: t.Mapping[str, int] = field(default_factory=dict)
    stranded: t.Collection[str] = ()
    kept: t.Collection[str] = ()

    def has_failed(self, service: str) -> bool:
        return bool(self.failed.get(service))

    def is_touched(self, plan: HostPlan) -> bool:
        return NO_BATCH != plan.batch <= self.begun.get(plan.service, NO_BATCH)


def judge(
    plans: t.Mapping[str, HostPlan],
    failures: t.Mapping[str, str],
    reachable: t.Collection[str],
    earlier: t.Mapping[str, t.Mapping[str, str]] | None = None,
) -> Failed:
    """By service, the hosts that failed and why. A host that cannot be reached any more has failed.

    What failed ``earlier`` stays so, and comes first: it is the cause.
    """
    failed: Failed = {service: dict(hosts) for service, hosts in (earlier or {}).items()}
    for name, plan in plans.items():
        if plan.batch == NO_BATCH:
            continue
        mine = failed.setdefault(plan.service, {})
        if name in failures:
            mine.setdefault(name, failures[name])
        elif name not in reachable:
            mine.setdefault(name, "became unreachable or was stopped by an error")
    return failed


def begin(plans: t.Mapping[str, HostPlan], verdict: Verdict, batch: int, overdue: t.Mapping[str, str]) -> Verdict:
    """The verdict as a batch begins. Where its service has failed it does not, nor where time is up.

    ``overdue`` has the services whose time is up, and what to say of it.
    """
    failed, begun = {service: dict(hosts) for service, hosts in verdict.failed.items()}, dict(verdict.begun)
    for name, plan in plans.items():
        if plan.batch != batch or failed.get(plan.service):
            continue
        if plan.service in overdue:
            failed.setdefault(plan.service, {})[name] = f"batch {batch + 1} did not begin: {overdue[plan.service]}"
        else:
            begun[plan.service] = batch
    return replace(verdict, failed=failed, begun=begun)


def open_up(verdict: Verdict) -> Verdict:
    """The verdict as the batch that began gets users. Where its service has failed it does not."""
    good = {service: batch for service, batch in verdict.begun.items() if not verdict.has_failed(service)}
    return replace(verdict, opened={**verdict.opened, **good})


def undo_steps(plans: t.Mapping[str, HostPlan], verdict: Verdict) -> dict[str, int]:
    """In which step each host of a failed service goes back; -1 for one that stays as it is.

    Where the old instances still run, all go back at once. Where a host has to be closed for it, the batches go back
    one after the other, the last one first: its hosts are those that serve nobody. And while somebody is stranded, no
    host is closed on which the new release serves.
    """
    steps = {}
    for name, plan in plans.items():
        if plan.batch == NO_BATCH or not verdict.has_failed(plan.service):
            continue
        if not undo_closes(plan, verdict):
            steps[name] = 0
        elif _serves_on(name, plan, plans, verdict):
            steps[name] = NO_STEP
        else:
            steps[name] = verdict.begun[plan.service] - plan.batch
    return steps


def undo_closes(plan: HostPlan, verdict: Verdict) -> bool:
    """Whether a host has to be closed so that it can go back."""
    return plan.strategy == IN_PLACE and verdict.is_touched(plan) and plan.undo_release != plan.release_to


def undo_starts(plan: HostPlan, verdict: Verdict) -> bool:
    """Whether the old release has to be started again. A host that is open and was not touched is left alone."""
    return plan.strategy == IN_PLACE and plan.undo_position != CLOSED and (verdict.is_touched(plan) or not plan.is_open)


def _serves_on(name: str, plan: HostPlan, plans: t.Mapping[str, HostPlan], verdict: Verdict) -> bool:
    stranded = any(plans[host].service == plan.service for host in verdict.stranded)
    is_open = plan.batch <= verdict.opened.get(plan.service, NO_BATCH)
    return stranded and is_open and name not in verdict.failed[plan.service]


def outcomes(plans: t.Mapping[str, HostPlan], verdict: Verdict, frozen: t.Collection[str]) -> dict[str, str]:
    """What became of each host that had something to do, in a word."""
    steps = undo_steps(plans, verdict)
    made = {}
    for name, plan in plans.items():
        if plan.batch == NO_BATCH:
            continue
        if not verdict.has_failed(plan.service):
            made[name] = "kept"
        elif name in verdict.stranded:
            made[name] = "stranded"
        elif plan.service in verdict.kept:
            made[name] = "kept"
        elif plan.service in frozen or steps[name] == NO_STEP:
            made[name] = "frozen"
        else:
            made[name] = "undone"
    return made


def verdict_text(
    plans: t.Mapping[str, HostPlan],
    verdict: Verdict,
    frozen: t.Collection[str],
    seen: t.Mapping[str, t.Mapping[str, t.Any]],
) -> str:
    """The cause first, then what became of the fleet. Empty if nothing failed. ``seen`` is what runs now."""
    ended = outcomes(plans, verdict, frozen)
    sentences = []
    for service, hosts in verdict.failed.items():
        if not hosts:
            continue
        mine = [name for name, plan in plans.items() if plan.service == service and name in ended]
        releases = ", ".join(sorted({plans[name].release_to for name in mine}))
        sentences += [f"{host}: {cause}." for host, cause in hosts.items()]
        if service in verdict.kept:
            sentences.append(f"{service} {releases} was kept on the others; run the playbook site again to go on.")
            continue
        if service in frozen:
            sentences.append(f"{service} {releases} was not kept, and every host is left as it is:")
            sentences += [f"{name} {_state(seen[name])};" for name in mine if name in seen and name in ended]
            sentences.append(_WAY_ON)
            continue
        if service not in verdict.begun:
            sentences.append(f"{service} {releases} was not rolled out; nothing was shifted, every host is as it was.")
            continue
        sentences.append(f"{service} {releases} was not kept;")
        stranded = [name for name in mine if ended[name] == "stranded"]
        left = [name for name in mine if ended[name] == "frozen"]
        if stranded:
            sentences.append(f"{', '.join(stranded)} could not be brought back;")
        if left:
            sentences.append(f"{', '.join(left)} keep it, since nobody is closed while others are missing;")
        sentences.append(
            f"every {'other ' if stranded or left else ''}host is back on what it ran before."
            if len(stranded) + len(left) < len(mine)
            else "run the playbook site again to go on."
        )
    return " ".join(sentences)


_WAY_ON = "to go on, run the playbook site with a mended release, or the playbook rollback to go back."


def _state(seen: t.Mapping[str, t.Any]) -> str:
    """What runs on a host and what its users reach."""
    position = seen["switch"]
    said = []
    if position in SLOTS:
        slot = seen["slots"][position]
        said.append(f"serves {slot['release'] or 'nothing'} ({position}{'' if slot['running'] else ', which is down'})")
    else:
        said.append("is closed" if position == CLOSED else "has no switch")
    for name in SLOTS:
        slot = seen["slots"][name]
        if name != position and slot["release"]:
            said.append(f"{slot['release']} {'runs' if slot['running'] else 'is down'} in {name}")
    return ", ".join(said)
