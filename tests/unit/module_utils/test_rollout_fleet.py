# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small simulator: hosts as rollout_info sees them, changed by the steps of the role app, one at a time, until the
controller is killed. Hosts get lost; some releases fail the gate without traffic, some only the one with traffic."""

from __future__ import annotations

import copy
import random
import typing as t
from contextlib import suppress
from dataclasses import replace

from ansible_collections.evenkeel.fleet.plugins.module_utils._release import prunable
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import (
    IN_PLACE,
    NO_BATCH,
    SURGE,
    HostPlan,
    HostState,
    least_available,
    plan_fleet,
    plan_host,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._verdict import (
    Verdict,
    begin,
    judge,
    open_up,
    outcomes,
    undo_closes,
    undo_starts,
    undo_steps,
)
from hypothesis import given
from hypothesis import strategies as st

V1, V2 = "1.0.0-000000000001", "2.0.0-000000000002"
BAD_ALONE, BAD_WITH_TRAFFIC = "3.0.0-bad000000000", "4.0.0-bad000000000"
GOOD = (V1, V2)
RELEASES = (*GOOD, BAD_ALONE, BAD_WITH_TRAFFIC)

KEEP = 1
NEVER = 10_000

Host = dict[str, t.Any]


class KilledError(Exception):
    """The controller is gone."""


class LostError(Exception):
    """The host cannot be reached any more."""


class Fleet:
    def __init__(self, size: int, strategy: str = SURGE, least: t.Any = "0") -> None:
        self.strategy, self.least = strategy, least
        self.hosts: dict[str, Host] = {f"h{number}": fresh_host() for number in range(size)}
        self.steps_left = NEVER
        self.lost_after: dict[str, int] = {}
        self.floor = 0
        self.before: dict[str, Host] = {}
        self.plans: dict[str, HostPlan] = {}
        self.failures: dict[str, str] = {}
        self.gone: set[str] = set()
        self.stuck: set[str] = set()
        self.begun = NO_BATCH
        self.ended: dict[str, str] = {}

    # ---- what users and the planner see

    def is_serving(self, name: str) -> bool:
        """Whether users of the host get an answer, and one of a good release."""
        host = self.hosts[name]
        slot = host["slots"].get(host["switch"])
        return bool(slot and slot["running"] and slot["release"] in GOOD)

    def serving(self) -> set[str]:
        return {name for name in self.hosts if self.is_serving(name)}

    def is_settled(self, release: str) -> bool:
        return not any(plan_host("notes", host, release, False, self.strategy)[1] for host in self.hosts.values())

    # ---- what the modules do

    def step(self, name: str) -> None:
        """A point at which the controller may be killed, and a host may turn out to be gone."""
        assert len(self.serving()) >= self.floor, "too few hosts serve"
        if self.steps_left == 0:
            raise KilledError
        self.steps_left -= 1
        self.lost_after = {host: left - 1 for host, left in self.lost_after.items()}
        if self.lost_after.get(name, 0) < 0:
            raise LostError

    def start(self, name: str, slot: str, release: str) -> None:
        host = self.hosts[name]
        now = host["slots"][slot]
        if now == runs(release):
            return
        assert not (host["switch"] == slot and now["release"] != release), "the module slot would refuse"
        assert release in host["releases"], "the module slot would refuse"
        if self.strategy == IN_PLACE:
            assert not [other for name, other in host["slots"].items() if name != slot and other["running"]]
        for change in (
            {"running": now["running"] and now["release"] == release},
            {"release": release},
            {"enabled": True},
            {"running": True},
        ):
            self.step(name)
            now.update(change)

    def stop(self, name: str, slot: str) -> None:
        host = self.hosts[name]
        assert host["switch"] != slot, "the module slot would refuse"
        for change in ({"running": False}, {"enabled": False}, {"release": ""}):
            self.step(name)
            host["slots"][slot].update(change)

    def move(self, name: str, position: str) -> None:
        if self.hosts[name]["switch"] == position and self.hosts[name]["lasts"]:
            return
        for change in ({"lasts": False}, {"switch": position}, {"lasts": True}):
            self.step(name)
            self.hosts[name].update(change)

    def make_current(self, name: str, release: str) -> None:
        self.step(name)
        host = self.hosts[name]
        if host["current"] != release:
            host.update(previous=host["current"], current=release)
        used = {host["current"], host["previous"], *(slot["release"] for slot in host["slots"].values())}
        for doomed in prunable(host["releases"], used, KEEP):
            host["releases"].remove(doomed)

    # ---- what the role does

    def roll(
        self,
        wanted: str,
        batches: t.Sequence[t.Any] = ("100%",),
        kill_after: int = NEVER,
        restart: bool = False,
        freeze: bool = False,
        lost_after: dict[str, int] | None = None,
    ) -> str:
        """One run: V(kept), V(refused), V(failed), or V(nothing) to do. Raises KilledError."""
        for host in self.hosts.values():
            if wanted not in host["releases"]:
                host["releases"].append(wanted)
        # The planner never gives less than what is wanted, or than what there was.
        self.floor = 0
        self.before, self.ended = copy.deepcopy(self.hosts), {}
        self.gone, self.stuck = set(), set()
        before = self.serving()
        states = {
            name: HostState(
                "notes", wanted, batches, host, restart, self.strategy, self.least, ready=self.is_serving(name)
            )
            for name, host in self.hosts.items()
        }
        try:
            every = plan_fleet(states)
        except ValueError:
            return "refused"
        plans = {name: plan for name, plan in every.items() if plan.batch != NO_BATCH}
        if not plans:
            return "nothing"
        assert all(plan.closes is False for plan in plans.values()) or self.strategy == IN_PLACE
        if self.strategy == IN_PLACE:
            self.floor = min(least_available(len(self.hosts), self.least), len(before))
        self.steps_left, self.lost_after = kill_after, dict(lost_after or {})
        self.failures = {}
        self.plans = plans

        verdict = Verdict({}, {})
        for number in range(max(plan.batch for plan in plans.values()) + 1):
            verdict = begin(plans, self.judge(plans, verdict), number, {})
            if verdict.has_failed("notes"):
                break
            batch = {name: plan for name, plan in plans.items() if plan.batch == number}
            self.try_out(batch)
            verdict = open_up(self.judge(plans, verdict))
            # What one host has found to be bad gets no users on the others either.
            if not verdict.has_failed("notes"):
                self.let_users_in(batch)
        verdict = self.judge(plans, verdict)
        if not verdict.has_failed("notes"):
            for name, plan in plans.items():
                try:
                    if plan.old_slot:
                        self.stop(name, plan.old_slot)
                    self.make_current(name, wanted)
                except LostError:
                    self.gone.add(name)
            self.ended = outcomes(plans, replace(self.judge(plans, verdict), kept=["notes"]), [])
            return "kept"
        if not freeze:
            self.undo(plans, verdict)
        self.begun = verdict.begun["notes"]
        self.ended = outcomes(plans, self.judge(plans, verdict), ["notes"] if freeze else [])
        return "failed"

    def judge(self, plans: t.Mapping[str, HostPlan], verdict: Verdict) -> Verdict:
        failed = judge(plans, self.failures, set(plans) - self.gone, verdict.failed)
        return replace(verdict, failed=failed, stranded=[*self.gone, *self.stuck])

    def try_out(self, batch: dict[str, HostPlan]) -> None:
        def stop_first(name: str) -> None:
            for slot in batch[name].stop_first:
                self.stop(name, slot)

        self.run_tasks(
            batch,
            lambda name: self.move(name, "closed") if batch[name].closes else None,
            stop_first,
            lambda name: self.start(name, batch[name].new_slot, batch[name].release_to),
            lambda name: self.gate(name, batch[name], BAD_ALONE),
        )

    def let_users_in(self, batch: dict[str, HostPlan]) -> None:
        self.run_tasks(
            batch,
            lambda name: self.move(name, batch[name].new_slot),
            lambda name: self.gate(name, batch[name], BAD_WITH_TRAFFIC),
        )

    def gate(self, name: str, plan: HostPlan, bad: str) -> None:
        if plan.release_to == bad:
            self.failures[name] = "bad"

    def run_tasks(self, batch: t.Iterable[str], *tasks: t.Callable[[str], None]) -> None:
        """Task by task, as Ansible does: each on every host that is still well."""
        for task in tasks:
            for name in batch:
                if name not in self.failures and name not in self.gone:
                    try:
                        task(name)
                    except LostError:
                        self.gone.add(name)

    def undo(self, plans: dict[str, HostPlan], verdict: Verdict) -> None:
        for step in range(max(undo_steps(plans, verdict).values()) + 1):
            verdict = self.judge(plans, verdict)
            mine = {name: plans[name] for name, its in undo_steps(plans, verdict).items() if its == step}
            for name, plan in mine.items():
                if name not in self.gone and undo_closes(plan, verdict):
                    self.undo_task(name, lambda name: self.move(name, "closed"))
            now = verdict
            for name in mine:
                if name not in self.gone | self.stuck:
                    self.undo_task(name, lambda name, now=now: self.bring_back(name, plans[name], now))

    def undo_task(self, name: str, task: t.Callable[[str], None]) -> None:
        try:
            task(name)
        except LostError:
            self.gone.add(name)

    def bring_back(self, name: str, plan: HostPlan, verdict: Verdict) -> None:
        if undo_starts(plan, verdict):
            for slot in plan.stop_first:
                if slot != plan.new_slot:
                    self.stop(name, slot)
            self.start(name, plan.new_slot, plan.undo_release)
            if plan.undo_release not in GOOD:
                self.stuck.add(name)
                return
        self.move(name, plan.undo_position)
        if plan.new_slot != plan.undo_position:
            self.stop(name, plan.new_slot)


def fresh_host() -> Host:
    slots = {slot: {"release": "", "running": False, "enabled": False, "restarts": 0} for slot in ("blue", "green")}
    return {"switch": "absent", "lasts": False, "current": "", "previous": "", "releases": [], "slots": slots}


def runs(release: str) -> dict[str, t.Any]:
    return {"release": release, "running": True, "enabled": True, "restarts": 0}


def occupied(host: Host) -> list[str]:
    return [slot["release"] for slot in host["slots"].values() if slot["release"] or slot["running"]]


BATCHES = st.lists(st.integers(1, 50) | st.integers(1, 100).map("{}%".format), min_size=1, max_size=5)
STRATEGIES = st.sampled_from([SURGE, IN_PLACE])
SIZES = st.integers(1, 4)
RUNS = st.lists(
    st.tuples(st.sampled_from(RELEASES), st.integers(0, 40) | st.just(NEVER), st.booleans(), STRATEGIES), max_size=6
)


def live_through(fleet: Fleet, history: list[tuple[str, int, bool, str]], batches: t.Sequence[t.Any]) -> None:
    """Runs of any kind, killed at any point; now and then somebody flushes the rules of a host."""
    for wanted, kill_after, flushed, strategy in history:
        fleet.strategy = strategy
        with suppress(KilledError):
            fleet.roll(wanted, batches, kill_after)
        if flushed:
            fleet.hosts["h0"].update(switch="absent", lasts=False)


@given(SIZES, STRATEGIES, RUNS, BATCHES)
def test_after_whatever_happened_the_next_run_settles(
    size: int, strategy: str, history: list[tuple[str, int, bool, str]], batches: t.Any
) -> None:
    fleet = Fleet(size)
    live_through(fleet, history, batches)
    fleet.strategy = strategy
    assert fleet.roll(V2, batches) in ("kept", "nothing")
    assert fleet.is_settled(V2)
    for name, host in fleet.hosts.items():
        assert fleet.is_serving(name)
        assert occupied(host) == [V2]
        assert host["current"] == V2
    before = repr(fleet.hosts)
    assert fleet.roll(V2, batches, 0) == "nothing", "there is no step left to take"
    assert repr(fleet.hosts) == before


@given(SIZES, STRATEGIES, RUNS, st.sampled_from([BAD_ALONE, BAD_WITH_TRAFFIC]), BATCHES)
def test_a_bad_release_ends_where_it_began(
    size: int, strategy: str, history: list[tuple[str, int, bool, str]], bad: str, batches: t.Any
) -> None:
    fleet = Fleet(size)
    assert fleet.roll(V1) == "kept"
    live_through(fleet, history, [1])
    fleet.strategy = strategy
    assert fleet.roll(V2) in ("kept", "nothing")
    before = {name: (host["switch"], repr(host["slots"]), host["current"]) for name, host in fleet.hosts.items()}
    assert fleet.roll(bad, batches) == "failed"
    after = {name: (host["switch"], repr(host["slots"]), host["current"]) for name, host in fleet.hosts.items()}
    assert after == before
    assert set(fleet.ended.values()) == {"undone"}


@given(SIZES, st.lists(st.tuples(st.sampled_from(GOOD), st.integers(0, 40)), max_size=6))
def test_with_good_releases_and_two_slots_no_host_ever_stops_serving(size: int, history: list[tuple[str, int]]) -> None:
    class Watched(Fleet):
        def step(self, name: str) -> None:
            assert len(self.serving()) == len(self.hosts)
            super().step(name)

    fleet = Fleet(size)
    assert fleet.roll(V1) == "kept"
    watched = Watched(0)
    watched.hosts = fleet.hosts
    for wanted, kill_after in history:
        with suppress(KilledError):
            watched.roll(wanted, ["100%"], kill_after)
    assert len(watched.serving()) == size


@given(SIZES, STRATEGIES, st.integers(0, 40), st.integers(0, 40))
def test_a_restart_ends_with_new_instances_whatever_was_killed(size: int, strategy: str, kill: int, again: int) -> None:
    class Born(Fleet):
        """Counts, for each host, in which run each instance was started."""

        run = 0

        def start(self, name: str, slot: str, release: str) -> None:
            was = dict(self.hosts[name]["slots"][slot])
            super().start(name, slot, release)
            if not (was["running"] and was["release"] == release):
                self.hosts[name]["slots"][slot]["born"] = self.run

        def stop(self, name: str, slot: str) -> None:
            super().stop(name, slot)
            self.hosts[name]["slots"][slot].pop("born", None)

    fleet = Born(size, strategy)
    assert fleet.roll(V1) == "kept"
    for fleet.run, kill_after in enumerate([kill, again, NEVER], start=1):
        with suppress(KilledError):
            assert fleet.roll(V1, ["100%"], kill_after, restart=True) == "kept"
    for name, host in fleet.hosts.items():
        assert fleet.is_serving(name)
        assert [slot["born"] for slot in host["slots"].values() if slot["release"]] == [3]


CASES = 50


@given(st.integers(0, 2**32))
def test_random_fleets_and_faults(seed: int) -> None:
    """Many fleets in one example: drawing each choice of Hypothesis alone would take longer than all the rest.

    Whatever is wanted, killed and lost, in any order: never do fewer hosts serve than are wanted (Fleet.step looks),
    nobody is sent to a slot in which nothing runs where two slots are used, nothing that is needed is pruned, and the
    journal's word for each host is what became of it.
    """
    chance = random.Random(seed)
    for _case in range(CASES):
        least = chance.choice(["", "0", "0", "1", "34%", "50%", "100%"])
        fleet = Fleet(chance.randint(1, 6), chance.choice([SURGE, IN_PLACE]), least)
        batches = [chance.choice([1, 2, "30%", "50%", "100%"]) for _batch in range(chance.randint(1, 3))]
        for _run in range(chance.randint(1, 5)):
            wanted, freeze = chance.choice(RELEASES), chance.random() < 0.1
            names = chance.sample(sorted(fleet.hosts), k=chance.randint(0, 2) if len(fleet.hosts) > 2 else 0)
            with suppress(KilledError):
                done = fleet.roll(
                    wanted,
                    batches,
                    kill_after=chance.choice([NEVER, chance.randint(0, 60)]),
                    restart=chance.random() < 0.1,
                    freeze=freeze,
                    lost_after={name: chance.randint(0, 30) for name in names},
                )
                check(fleet, wanted, done, freeze)


def check(fleet: Fleet, wanted: str, done: str, freeze: bool) -> None:
    """After a run that was not killed. What one host found out decides for all that can be reached."""
    for name, host in fleet.hosts.items():
        assert {host["current"], host["previous"], *occupied(host)} - {""} <= set(host["releases"])
        word = fleet.ended.get(name, "")
        assert (word == "stranded") == (name in fleet.gone | fleet.stuck)
        if word == "stranded":
            continue
        if done == "kept":
            assert wanted in GOOD
            assert word in ("kept", "")
            assert fleet.is_serving(name)
            assert occupied(host) == [wanted]
            assert host["current"] == wanted
        if done == "failed" and word:
            assert word == "frozen" if freeze else word in ("undone", "frozen")
        if word == "undone":
            check_back(host, fleet.before[name], fleet.plans[name], fleet.begun)
        if word == "frozen" and not freeze:
            assert host["slots"][host["switch"]] == runs(wanted)
        if fleet.strategy == SURGE and host["switch"] in host["slots"]:
            assert host["slots"][host["switch"]]["running"]
    if done == "kept" and not fleet.gone:
        assert fleet.is_settled(wanted), "a second run has nothing to do"


def check_back(host: Host, before: Host, plan: HostPlan, begun: int) -> None:
    """The host is as it was or, where an earlier run had left it half-way, on the way back that was planned."""
    settled = not plan_host("notes", before, before["current"], strategy=plan.strategy)[1]
    left_alone = plan.strategy == IN_PLACE and plan.is_open and plan.batch > begun
    if settled or left_alone:
        assert host == {**before, "lasts": True}
        return
    assert host["switch"] == plan.undo_position
    if plan.new_slot != plan.undo_position:
        assert not host["slots"][plan.new_slot]["release"]
    if plan.undo_position in host["slots"]:
        assert host["slots"][plan.undo_position] == runs(plan.undo_release)
