# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Plans a rollout from what runs on the hosts."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import CLOSED, SLOTS, other_slot

NO_BATCH = -1

SURGE = "surge"
IN_PLACE = "in_place"

Seen = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class HostPlan:
    """What a rollout means for one host.

    ``old_slot`` is the slot that is emptied when the release is kept, if any. ``stop_first`` are the slots that are
    emptied before the release starts in ``new_slot``, and ``closes`` says whether the host serves nobody meanwhile.
    If the release is not kept, the switch goes to ``undo_position``, where ``undo_release`` has to run. ``is_open``
    says whether the switch leads to ``new_slot`` before the rollout. ``batch`` is -1 where there is nothing to do.
    ``restarts`` says how often systemd had restarted an instance of the release that runs already and stays.
    ``endpoint`` and ``undo_endpoint`` are where the release, and the one that it goes back to, are reached: the port in
    public and in each slot, and the path that answers while it lives.
    ``arbiter`` is the service's first host: whoever gets the lease there may go on to the others, so of two rollouts
    exactly one wins. ``migrates`` marks the host of a service that migrates the data.
    """

    service: str
    release_from: str
    release_to: str
    old_slot: str
    new_slot: str
    undo_position: str
    undo_release: str = ""
    strategy: str = SURGE
    closes: bool = False
    is_open: bool = False
    stop_first: t.Sequence[str] = ()
    restarts: int = 0
    batch: int = NO_BATCH
    endpoint: t.Mapping[str, t.Any] = field(default_factory=dict)
    undo_endpoint: t.Mapping[str, t.Any] = field(default_factory=dict)
    arbiter: str = ""
    migrates: bool = False

    def sentence(self, batches: int) -> str:
        slot = f" ({self.old_slot})" if self.old_slot else ""
        before = f"{self.release_from}{slot}" if self.release_from else "nothing"
        return f"{before} -> {self.release_to} ({self.new_slot}), batch {self.batch + 1} of {batches}"


def plan_host(
    service: str, seen: Seen, wanted: str, restart: bool = False, strategy: str = SURGE
) -> tuple[HostPlan, bool]:
    """The plan for one host from what C(rollout_info) saw there, and whether it means any work.

    With ``restart`` a new instance takes over even if the active one already runs the wanted release.

    Whatever an earlier run left behind, the plan leads on from it: a slot that already runs the wanted release is
    taken over, and one that is still occupied beside the active one is drained and emptied.
    """
    plan = {SURGE: _beside, IN_PLACE: _in_place}[strategy](service, seen, wanted, restart)
    slot = seen["slots"][plan.new_slot]
    if _runs(slot, wanted) and slot["enabled"] and plan.new_slot not in plan.stop_first:
        plan = replace(plan, restarts=slot["restarts"])
    settled = (
        not plan.old_slot
        and not plan.stop_first
        and seen["switch"] == plan.new_slot
        and seen["lasts"]
        and seen["current"] == wanted
        and _runs(slot, wanted)
        and slot["enabled"]
    )
    return plan, not settled


def _beside(service: str, seen: Seen, wanted: str, restart: bool) -> HostPlan:
    """A new instance starts in the idle slot, and the old one stays until the release is kept."""
    slots, active = seen["slots"], _active_slot(seen)
    if active and _runs(slots[active], wanted) and not restart:
        new = active
    elif active:
        new = other_slot(active)
    else:
        new = next((slot for slot in SLOTS if slots[slot]["release"] == wanted), SLOTS[0])
    old = other_slot(new) if _is_occupied(slots[other_slot(new)]) else ""
    # What an interrupted restart left there may be the older of the two instances.
    stop_first = (new,) if restart and _is_occupied(slots[new]) else ()
    undo_position = _way_back(seen, active, new, replaced=bool(stop_first) or slots[new]["release"] != wanted)
    return HostPlan(
        service=service,
        release_from=slots[old]["release"] if old else "",
        release_to=wanted,
        old_slot=old,
        new_slot=new,
        undo_position=undo_position,
        undo_release=slots[undo_position]["release"] if undo_position in SLOTS else "",
        is_open=seen["switch"] == new,
        stop_first=stop_first,
    )


def _in_place(service: str, seen: Seen, wanted: str, restart: bool) -> HostPlan:
    """The new instance takes the slot of the old one, while the host serves nobody."""
    slots, active = seen["slots"], _active_slot(seen)
    holding = [slot for slot in SLOTS if slots[slot]["release"] == wanted]
    occupied = [slot for slot in SLOTS if _is_occupied(slots[slot])]
    new = active or (*holding, *occupied, SLOTS[0])[0]
    stays = _runs(slots[new], wanted) and not restart
    running = slots[active]["release"] if active and slots[active]["running"] else ""
    settled = seen["current"] if seen["current"] in seen["releases"] else ""
    back = running or settled if settled == wanted else settled or running
    return HostPlan(
        service=service,
        release_from=back,
        release_to=wanted,
        old_slot="",
        new_slot=new,
        undo_position=new if back else CLOSED,
        undo_release=back,
        strategy=IN_PLACE,
        closes=seen["switch"] == new and not stays,
        is_open=seen["switch"] == new,
        stop_first=tuple(slot for slot in occupied if slot != new or restart),
    )


def _way_back(seen: Seen, active: str, new: str, replaced: bool) -> str:
    """To the release that the host settled on last, or at least to the one that users reach now."""
    settled = _settled_slot(seen)
    return (active if settled == new and replaced else settled or active) or CLOSED


def _is_occupied(slot: t.Mapping[str, t.Any]) -> bool:
    return bool(slot["release"] or slot["running"])


def _runs(slot: t.Mapping[str, t.Any], release: str) -> bool:
    return bool(slot["running"] and slot["release"] == release)


def _active_slot(seen: Seen) -> str:
    """The slot that users reach or, where the switch is gone, would reach."""
    return str(seen["switch"]) if seen["switch"] in SLOTS else _settled_slot(seen)


def _settled_slot(seen: Seen) -> str:
    """The slot in which the release runs that the host settled on last."""
    return next((slot for slot in SLOTS if seen["current"] and _runs(seen["slots"][slot], seen["current"])), "")


def batch_sizes(total: int, batches: t.Sequence[t.Any]) -> list[int]:
    """How many hosts each batch has. Numbers and percentages of the total; the last one repeats until all are done.

    A percentage is rounded down, but never to less than one host.
    """
    sizes: list[int] = []
    left = total
    while left > 0:
        sizes.append(min(left, _batch_size(batches, len(sizes), total)))
        left -= sizes[-1]
    return sizes


def _batch_size(batches: t.Sequence[t.Any], number: int, total: int) -> int:
    if not batches:
        raise ValueError("batches is empty; it wants numbers or percentages such as [1, '100%']")
    batch = batches[min(number, len(batches) - 1)]
    text = str(batch)
    if not isinstance(batch, bool) and re.fullmatch(r"[1-9][0-9]*", text):
        return int(text)
    percentage = re.fullmatch(r"([1-9][0-9]?|100)%", text)
    if percentage is None:
        raise ValueError(f"batches holds {batch!r}; it wants numbers from 1 or percentages from 1% to 100%")
    return max(1, total * int(percentage.group(1)) // 100)


def least_available(total: int, wanted: t.Any) -> int:
    """How many of a service's hosts have to serve at any time: a number, or a percentage of all that is rounded up.

    An empty text stands for all but one, and at least one.
    """
    text = str(wanted)
    if text == "":
        return max(1, total - 1)
    if not isinstance(wanted, bool) and re.fullmatch(r"0|[1-9][0-9]*", text):
        return int(text)
    percentage = re.fullmatch(r"([1-9]?[0-9]|100)%", text)
    if percentage is None:
        raise ValueError(f"min_available is {wanted!r}; it wants a number or a percentage from 0% to 100%")
    return -(-total * int(percentage.group(1)) // 100)


@dataclass(frozen=True)
class HostState:
    """What the planner needs to know of a host. ``ready`` is None where nobody asked.

    ``endpoint`` is that of a release which does not say where it is reached, such as one that is not staged yet.
    """

    service: str
    wanted: str
    batches: t.Sequence[t.Any]
    seen: Seen
    restart: bool = False
    strategy: str = SURGE
    min_available: t.Any = ""
    ready: bool | None = None
    migrates: bool = False
    endpoint: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def retired(self) -> bool:
        """Whether nothing is to be started here; see the entry point C(retire) of the role app."""
        return bool(self.seen.get("retired"))

    @property
    def is_up(self) -> bool:
        """Whether users of the host reach an instance that runs."""
        slot = self.seen["slots"].get(self.seen["switch"])
        return bool(slot and slot["running"])

    @property
    def serves(self) -> bool:
        return self.is_up and self.ready is not False

    def endpoint_of(self, release: str) -> t.Mapping[str, t.Any]:
        """Where a release is reached: as it was staged, whatever the settings say by now."""
        found: t.Mapping[str, t.Any] = self.seen.get("endpoints", {}).get(release) or self.endpoint
        return found


def plan_fleet(hosts: t.Mapping[str, HostState], absent: t.Mapping[str, str] | None = None) -> dict[str, HostPlan]:
    """A plan for every host, in inventory order. Batches never straddle services; services go side by side.

    ``absent`` are hosts of the inventory that are not in the play, and their services. Raises ValueError where a
    service would have fewer hosts that serve than it wants.
    """
    plans: dict[str, HostPlan] = {}
    arbiters: dict[str, str] = {}
    work: dict[str, list[str]] = {}
    for name, host in hosts.items():
        plan, needed = plan_host(host.service, host.seen, host.wanted, host.restart, host.strategy)
        plans[name] = replace(
            plan,
            endpoint=host.endpoint_of(plan.release_to),
            undo_endpoint=host.endpoint_of(plan.undo_release),
            arbiter=arbiters.setdefault(host.service, name),
        )
        if needed and not host.retired:
            work.setdefault(host.service, []).append(name)
    for service, names in work.items():
        mine = {name: host for name, host in hosts.items() if host.service == service and not host.retired}
        # Where a host has settled on the release, an earlier rollout has migrated for it.
        if hosts[names[0]].migrates and not any(host.seen["current"] == host.wanted for host in mine.values()):
            plans[names[0]] = replace(plans[names[0]], migrates=True)
        closing = [name for name in names if plans[name].closes]
        missing = [name for name, of in (absent or {}).items() if of == service]
        for number, batch in enumerate(_batches(service, names, closing, mine, missing)):
            for name in batch:
                plans[name] = replace(plans[name], batch=number)
    return plans


def _batches(
    service: str,
    names: t.Sequence[str],
    closing: t.Collection[str],
    hosts: t.Mapping[str, HostState],
    absent: t.Sequence[str],
) -> t.Iterator[list[str]]:
    """The hosts of each batch. Of those that serve now, no more are closed at once than may be missing.

    What is ``absent`` cannot be asked, so it counts as missing.
    """
    first = hosts[names[0]]
    total = len(hosts) + len(absent)
    least = least_available(total, first.min_available)
    up = {name for name, host in hosts.items() if host.is_up}
    well = {name for name, host in hosts.items() if host.serves}
    # Whoever serves nobody anyway costs nothing, and adds to those that serve once it is done. One that is up and not
    # ready may be cured by the release, but may as well be ready by the time it is closed.
    queue = sorted(names, key=lambda name: (name in closing) * ((name in up) + (name in well)))
    number = 0
    while queue:
        batch: list[str] = []
        for name in queue[: _batch_size(first.batches, number, len(names))]:
            away = {other for other in (*batch, name) if other in closing}
            if any(name in some & away and len(some - away) < least for some in (up, well)):
                break
            batch.append(name)
        if not batch:
            raise ValueError(_too_few(service, sorted(set(hosts) - well), absent, total, least))
        yield batch
        up.update(batch)
        well.update(batch)
        queue = queue[len(batch) :]
        number += 1


def _too_few(service: str, down: t.Sequence[str], absent: t.Sequence[str], total: int, least: int) -> str:
    missing = f", and {', '.join(down)} serve nobody as it is" if down else ""
    unasked = f"; {', '.join(absent)} of {service} is not in the play, so it cannot be asked" if absent else ""
    lower = "Run it without --limit, lower" if absent else "Lower"
    return (
        f"{service}: strategy in_place closes a host while it is updated, but of its {total} hosts "
        f"{least} have to serve at any time (app_min_available){missing}{unasked}. "
        f"Nothing was changed. {lower} app_min_available, which accepts that users notice, or use the strategy surge"
    )
