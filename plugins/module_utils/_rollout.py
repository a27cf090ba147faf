# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Plans a rollout from what runs on the hosts, and judges it from what became of them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import CLOSED, SLOTS, other_slot

NO_BATCH = -1


@dataclass(frozen=True)
class HostPlan:
    """What a rollout means for one host.

    ``old_slot`` is the occupied slot beside ``new_slot``, if any. ``undo_position`` is where the switch goes if the
    release is not kept. ``batch`` is -1 where there is nothing to do. ``arbiter`` is the service's first host: whoever
    gets the lease there may go on to the others, so of two rollouts exactly one wins.
    """

    service: str
    release_from: str
    release_to: str
    old_slot: str
    new_slot: str
    undo_position: str
    batch: int = NO_BATCH
    arbiter: str = ""

    def sentence(self, batches: int) -> str:
        before = f"{self.release_from} ({self.old_slot})" if self.release_from else "nothing"
        return f"{before} -> {self.release_to} ({self.new_slot}), batch {self.batch + 1} of {batches}"


def plan_host(service: str, seen: t.Mapping[str, t.Any], wanted: str, restart: bool = False) -> tuple[HostPlan, bool]:
    """The plan for one host from what C(rollout_info) saw there, and whether it means any work.

    With ``restart`` a new instance takes over even if the active one already runs the wanted release.

    Whatever an earlier run left behind, the plan leads on from it: a slot that already runs the wanted release is
    taken over, and one that is still occupied beside the active one is drained and emptied.
    """
    slots = seen["slots"]
    active = _active_slot(seen)
    unfinished = bool(active) and _is_occupied(slots[other_slot(active)])
    if active and slots[active]["release"] == wanted and slots[active]["running"] and (unfinished or not restart):
        new = active
    elif active:
        new = other_slot(active)
    else:
        new = next((slot for slot in SLOTS if slots[slot]["release"] == wanted), SLOTS[0])
    beside = other_slot(new)
    old = beside if _is_occupied(slots[beside]) else ""
    settled = (
        not old
        and seen["switch"] == new
        and seen["current"] == wanted
        and slots[new]["release"] == wanted
        and slots[new]["running"]
        and slots[new]["enabled"]
    )
    plan = HostPlan(
        service=service,
        release_from=slots[old]["release"] if old else "",
        release_to=wanted,
        old_slot=old,
        new_slot=new,
        undo_position=_way_back(seen, active, new, wanted),
    )
    return plan, not settled


def _way_back(seen: t.Mapping[str, t.Any], active: str, new: str, wanted: str) -> str:
    """To the release that the host settled on last, or at least to the one that users reach now."""
    settled = _settled_slot(seen)
    makes_room = settled == new and seen["slots"][settled]["release"] != wanted
    return (active if makes_room else settled or active) or CLOSED


def _is_occupied(slot: t.Mapping[str, t.Any]) -> bool:
    return bool(slot["release"] or slot["running"])


def _active_slot(seen: t.Mapping[str, t.Any]) -> str:
    """The slot that users reach or, where the switch is gone, would reach."""
    return str(seen["switch"]) if seen["switch"] in SLOTS else _settled_slot(seen)


def _settled_slot(seen: t.Mapping[str, t.Any]) -> str:
    """The slot in which the release runs that the host settled on last."""
    for slot in SLOTS:
        if seen["current"] and seen["slots"][slot]["release"] == seen["current"] and seen["slots"][slot]["running"]:
            return slot
    return ""


def batch_sizes(total: int, batches: t.Sequence[t.Any]) -> list[int]:
    """How many hosts each batch has. Numbers and percentages of the total; the last one repeats until all are done.

    A percentage is rounded down, but never to less than one host.
    """
    if not batches:
        raise ValueError("batches is empty; it wants numbers or percentages such as [1, '100%']")
    sizes: list[int] = []
    left = total
    while left > 0:
        size = min(left, _batch_size(batches[min(len(sizes), len(batches) - 1)], total))
        sizes.append(size)
        left -= size
    return sizes


def _batch_size(batch: t.Any, total: int) -> int:
    text = str(batch)
    if not isinstance(batch, bool) and re.fullmatch(r"[1-9][0-9]*", text):
        return int(text)
    percentage = re.fullmatch(r"([1-9][0-9]?|100)%", text)
    if percentage is None:
        raise ValueError(f"batches holds {batch!r}; it wants numbers from 1 or percentages from 1% to 100%")
    return max(1, total * int(percentage.group(1)) // 100)


@dataclass(frozen=True)
class HostState:
    """What the planner needs to know of a host."""

    service: str
    wanted: str
    batches: t.Sequence[t.Any]
    seen: t.Mapping[str, t.Any]
    restart: bool = False


def plan_fleet(hosts: t.Mapping[str, HostState]) -> dict[str, HostPlan]:
    """A plan for every host, in inventory order. Batches never straddle services; services go side by side."""
    plans: dict[str, HostPlan] = {}
    arbiters: dict[str, str] = {}
    work: dict[str, list[str]] = {}
    for name, host in hosts.items():
        plan, needed = plan_host(host.service, host.seen, host.wanted, host.restart)
        plans[name] = replace(plan, arbiter=arbiters.setdefault(host.service, name))
        if needed:
            work.setdefault(host.service, []).append(name)
    for names in work.values():
        sizes = batch_sizes(len(names), hosts[names[0]].batches)
        numbers = [number for number, size in enumerate(sizes) for _host in range(size)]
        for name, number in zip(names, numbers, strict=True):
            plans[name] = replace(plans[name], batch=number)
    return plans


def verdict_text(plans: t.Mapping[str, HostPlan], failed: t.Mapping[str, t.Mapping[str, str]]) -> str:
    """The cause first, then what became of the fleet. Empty if nothing failed."""
    sentences = []
    for service, hosts in failed.items():
        if not hosts:
            continue
        releases = {plan.release_to for plan in plans.values() if plan.service == service and plan.batch != NO_BATCH}
        sentences += [f"{host}: {cause}." for host, cause in hosts.items()]
        sentences.append(
            f"{service} {', '.join(sorted(releases))} was not kept; "
            "every host that could be reached is back on what it ran before."
        )
    return " ".join(sentences)


def judge(
    plans: t.Mapping[str, HostPlan], failures: t.Mapping[str, str], reachable: t.Collection[str]
) -> dict[str, dict[str, str]]:
    """By service, the hosts that failed and why. A host that cannot be reached any more has failed."""
    verdict: dict[str, dict[str, str]] = {}
    for name, plan in plans.items():
        if plan.batch == NO_BATCH:
            continue
        failed = verdict.setdefault(plan.service, {})
        if name in failures:
            failed[name] = failures[name]
        elif name not in reachable:
            failed[name] = "became unreachable or was stopped by an error"
    return verdict
