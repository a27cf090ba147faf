# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from contextlib import suppress

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import (
    NO_BATCH,
    HostPlan,
    HostState,
    batch_sizes,
    judge,
    plan_fleet,
    plan_host,
    verdict_text,
)
from hypothesis import given
from hypothesis import strategies as st

EMPTY = {"release": "", "running": False, "enabled": False}


def runs(release: str, **changes: t.Any) -> dict[str, t.Any]:
    return {"release": release, "running": True, "enabled": True, **changes}


def host(
    switch: str, current: str, blue: dict[str, t.Any] | None = None, green: dict[str, t.Any] | None = None
) -> dict[str, t.Any]:
    return {"switch": switch, "current": current, "slots": {"blue": blue or EMPTY, "green": green or EMPTY}}


V1, V2, V3 = "1.0.0-000000000001", "2.0.0-000000000002", "3.0.0-000000000003"

# What a host looks like, and what is planned when V2 is wanted: old slot, new slot, undo position.
SITUATIONS: dict[str, tuple[dict[str, t.Any], tuple[str, str, str] | None]] = {
    "fresh": (host("absent", ""), ("", "blue", "closed")),
    "closed after a first release was undone": (host("closed", ""), ("", "blue", "closed")),
    "converged": (host("blue", V2, runs(V2)), None),
    "converged in green": (host("green", V2, EMPTY, runs(V2)), None),
    "update": (host("blue", V1, runs(V1)), ("blue", "green", "blue")),
    "update from green": (host("green", V1, EMPTY, runs(V1)), ("green", "blue", "green")),
    "killed after the start": (host("blue", V1, runs(V1), runs(V2)), ("blue", "green", "blue")),
    "killed in the middle of the start": (
        host("blue", V1, runs(V1), runs(V2, running=False, enabled=False)),
        ("blue", "green", "blue"),
    ),
    "killed after the switch": (host("green", V1, runs(V1), runs(V2)), ("blue", "green", "blue")),
    "killed in the middle of the stop": (
        host("green", V1, runs(V1, running=False), runs(V2)),
        ("blue", "green", "green"),
    ),
    "killed before it was recorded": (host("green", V1, EMPTY, runs(V2)), ("", "green", "green")),
    "first release, killed after the start": (host("absent", "", runs(V2)), ("", "blue", "closed")),
    "first release, killed after the switch": (host("blue", "", runs(V2)), ("", "blue", "blue")),
    "switch lost": (host("absent", V2, runs(V2)), ("", "blue", "blue")),
    "switch lost in green": (host("absent", V2, EMPTY, runs(V2)), ("", "green", "green")),
    "switch lost before an update": (host("absent", V1, EMPTY, runs(V1)), ("green", "blue", "green")),
    "switch lost in the middle of an update": (host("absent", V1, runs(V1), runs(V2)), ("blue", "green", "blue")),
    "closed by somebody": (host("closed", V2, runs(V2)), ("", "blue", "blue")),
    "not enabled": (host("blue", V2, runs(V2, enabled=False)), ("", "blue", "blue")),
    "dead": (host("blue", V2, runs(V2, running=False)), ("blue", "green", "blue")),
    "idle slot with leftovers": (host("blue", V2, runs(V2), runs(V1)), ("green", "blue", "blue")),
    "idle slot with dead leftovers": (host("blue", V2, runs(V2), runs(V3, running=False)), ("green", "blue", "blue")),
    "update over leftovers": (host("blue", V1, runs(V1), runs(V3)), ("blue", "green", "blue")),
    # A run towards V1 from V2 was killed after its switch; V2 still runs and is the recorded one.
    "back to the old one after a killed run": (host("green", V2, runs(V2), runs(V1)), ("green", "blue", "blue")),
    # A run from V1 to V3 was killed after its switch. V1 makes room for V2, so the way back is to V3.
    "on to a third one after a killed run": (host("green", V1, runs(V1), runs(V3)), ("green", "blue", "green")),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_plan_host(name: str) -> None:
    seen, wanted = SITUATIONS[name]
    plan, needed = plan_host("notes", seen, V2)
    assert needed == (wanted is not None)
    if wanted is not None:
        assert (plan.old_slot, plan.new_slot, plan.undo_position) == wanted
        assert plan.release_from == (seen["slots"][plan.old_slot]["release"] if plan.old_slot else "")
    assert (plan.service, plan.release_to, plan.batch) == ("notes", V2, NO_BATCH)


@pytest.mark.parametrize(
    ("seen", "planned"),
    [
        (host("blue", V2, runs(V2)), ("blue", "green", "blue")),
        (host("green", V2, EMPTY, runs(V2)), ("green", "blue", "green")),
        # What an interrupted restart left behind is finished before anything begins anew.
        (host("green", V2, runs(V2), runs(V2)), ("blue", "green", None)),
    ],
)
def test_a_restart_puts_a_new_instance_beside_the_old_one(
    seen: dict[str, t.Any], planned: tuple[str, str, str | None]
) -> None:
    plan, needed = plan_host("notes", seen, V2, restart=True)
    assert needed
    assert (plan.old_slot, plan.new_slot) == planned[:2]
    assert planned[2] in (None, plan.undo_position)


def test_sentence() -> None:
    plan = HostPlan("notes", V1, V2, "blue", "green", "blue", batch=1)
    assert plan.sentence(3) == f"{V1} (blue) -> {V2} (green), batch 2 of 3"
    assert HostPlan("notes", "", V2, "", "blue", "closed", batch=0).sentence(1) == (
        f"nothing -> {V2} (blue), batch 1 of 1"
    )


@pytest.mark.parametrize(
    ("total", "batches", "sizes"),
    [
        (0, [1], []),
        (1, [1, "100%"], [1]),
        (5, [1, "100%"], [1, 4]),
        (10, ["10%", "50%", "100%"], [1, 5, 4]),
        (10, [3], [3, 3, 3, 1]),
        (10, ["25%"], [2, 2, 2, 2, 2]),
        (3, ["1%"], [1, 1, 1]),
        (3, ["100%"], [3]),
        (3, ["2", 5], [2, 1]),
        (7, [1, 2], [1, 2, 2, 2]),
    ],
)
def test_batch_sizes(total: int, batches: list[t.Any], sizes: list[int]) -> None:
    assert batch_sizes(total, batches) == sizes


@pytest.mark.parametrize("bad", [0, -1, "0", "0%", "101%", 1.5, "1.5", True, None, "half", "", "5 %", "1\u0661", "1\n"])
def test_bad_batches_are_refused(bad: t.Any) -> None:
    with pytest.raises(ValueError, match="it wants numbers from 1 or percentages from 1% to 100%"):
        batch_sizes(3, [bad])


def test_no_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="batches is empty"):
        batch_sizes(3, [])


BATCHES = st.lists(st.integers(1, 50) | st.integers(1, 100).map("{}%".format), min_size=1, max_size=5)


@given(st.integers(0, 300), BATCHES)
def test_batches_add_up(total: int, batches: list[t.Any]) -> None:
    sizes = batch_sizes(total, batches)
    assert sum(sizes) == total
    assert all(size >= 1 for size in sizes)
    assert len(set(sizes[len(batches) - 1 : -1])) <= 1, "the last one repeats"


def state(service: str, seen: dict[str, t.Any], batches: t.Sequence[t.Any] = (1, "100%")) -> HostState:
    return HostState(service, V2, batches, seen)


def test_plan_fleet() -> None:
    old, new = host("blue", V1, runs(V1)), host("blue", V2, runs(V2))
    plans = plan_fleet(
        {
            "a1": state("a", old),
            "b1": state("b", old, ["100%"]),
            "a2": state("a", new),
            "a3": state("a", old),
            "b2": state("b", old, ["100%"]),
            "a4": state("a", old),
            "c1": state("c", new),
        }
    )
    assert {name: plan.batch for name, plan in plans.items()} == {
        "a1": 0,
        "b1": 0,
        "a2": NO_BATCH,
        "a3": 1,
        "b2": 0,
        "a4": 1,
        "c1": NO_BATCH,
    }
    assert list(plans) == ["a1", "b1", "a2", "a3", "b2", "a4", "c1"]
    assert {name: plan.arbiter for name, plan in plans.items()} == {
        "a1": "a1",
        "b1": "b1",
        "a2": "a1",
        "a3": "a1",
        "b2": "b1",
        "a4": "a1",
        "c1": "c1",
    }


SITUATION = st.sampled_from([seen for seen, _planned in SITUATIONS.values()])
FLEET = st.dictionaries(st.integers(0, 99).map("h{}".format), st.tuples(st.sampled_from("abc"), SITUATION), max_size=12)


@given(FLEET, st.fixed_dictionaries(dict.fromkeys("abc", BATCHES)))
def test_batches_never_straddle_services(fleet: dict[str, tuple[str, t.Any]], batches: dict[str, list[t.Any]]) -> None:
    hosts = {name: HostState(service, V2, batches[service], seen) for name, (service, seen) in fleet.items()}
    plans = plan_fleet(hosts)
    assert list(plans) == list(hosts)
    for service in "abc":
        mine = [plan for plan in plans.values() if plan.service == service]
        numbers = [plan.batch for plan in mine if plan.batch != NO_BATCH]
        assert numbers == sorted(numbers), "batches follow the inventory"
        sizes = [numbers.count(number) for number in range(max(numbers, default=-1) + 1)]
        assert sizes == batch_sizes(len(numbers), batches[service])
        alone = plan_fleet({name: state for name, state in hosts.items() if state.service == service})
        assert [plans[name] for name in alone] == list(alone.values()), "other services change nothing"
        for plan, name in zip(mine, alone, strict=True):
            assert (plan.batch == NO_BATCH) == (not plan_host(service, hosts[name].seen, V2)[1])


PLANS = {
    "a1": HostPlan("a", V1, V2, "blue", "green", "blue", 0),
    "a2": HostPlan("a", V1, V2, "blue", "green", "blue", 1),
    "a3": HostPlan("a", "", V2, "", "green", "green"),
    "b1": HostPlan("b", V1, V2, "blue", "green", "blue", 0),
}


def test_judge() -> None:
    assert judge(PLANS, {}, list(PLANS)) == {"a": {}, "b": {}}
    assert judge(PLANS, {"a2": "broken"}, ["a1", "a2", "b1"]) == {"a": {"a2": "broken"}, "b": {}}
    assert judge(PLANS, {"a1": "broken"}, ["a2"]) == {
        "a": {"a1": "broken"},
        "b": {"b1": "became unreachable or was stopped by an error"},
    }


def test_a_host_with_nothing_to_do_does_not_fail_a_rollout() -> None:
    assert judge(PLANS, {"a3": "broken"}, ["a1", "a2", "b1"]) == {"a": {}, "b": {}}


def test_verdict_text_has_the_cause_first() -> None:
    text = verdict_text(PLANS, {"a": {"a1": "GET /ready answered 503"}, "b": {}})
    assert text.startswith("a1: GET /ready answered 503. a ")
    assert V2 in text
    assert "b1" not in text
    assert verdict_text(PLANS, {"a": {}, "b": {}}) == ""


# A small simulator: hosts as rollout_info sees them, changed by the steps of the role app, one at a time, until the
# controller is killed. Some releases fail the gate without traffic, some only the one with traffic.


class KilledError(Exception):
    """The controller is gone."""


class Fleet:
    BAD_ALONE = "3.0.0-bad000000000"
    BAD_WITH_TRAFFIC = "4.0.0-bad000000000"
    RELEASES = (V1, V2, BAD_ALONE, BAD_WITH_TRAFFIC)
    GOOD = (V1, V2)

    def __init__(self, size: int) -> None:
        self.hosts = {f"h{i}": host("absent", "") for i in range(size)}
        for seen in self.hosts.values():
            seen["slots"] = {slot: dict(EMPTY) for slot in ("blue", "green")}
        self.steps_left = 0

    def step(self) -> None:
        """A point at which the controller may be killed."""
        if self.steps_left == 0:
            raise KilledError
        self.steps_left -= 1

    def is_serving(self, name: str) -> bool:
        """Whether users of the host get an answer, and one of a good release."""
        seen = self.hosts[name]
        slot = seen["slots"].get(seen["switch"])
        return bool(slot and slot["running"] and slot["release"] in self.GOOD)

    def start(self, name: str, slot: str, release: str) -> None:
        seen = self.hosts[name]
        now = seen["slots"][slot]
        if now == runs(release):
            return
        assert not (seen["switch"] == slot and now["release"] != release), "the module slot would refuse"
        for change in (
            {"running": now["running"] and now["release"] == release},
            {"release": release},
            {"enabled": True},
            {"running": True},
        ):
            self.step()
            now.update(change)

    def stop(self, name: str, slot: str) -> None:
        seen = self.hosts[name]
        assert seen["switch"] != slot, "the module slot would refuse"
        for change in ({"running": False}, {"enabled": False}, {"release": ""}):
            self.step()
            seen["slots"][slot].update(change)

    def move(self, name: str, position: str) -> None:
        self.step()
        self.hosts[name]["switch"] = position

    def roll(self, wanted: str, batches: t.Sequence[t.Any], kill_after: int) -> bool:
        """One run of the role; whether the release was kept."""
        self.steps_left = kill_after
        served = {name for name in self.hosts if self.is_serving(name)}
        states = {name: HostState("notes", wanted, batches, seen) for name, seen in self.hosts.items()}
        plans = {name: plan for name, plan in plan_fleet(states).items() if plan.batch != NO_BATCH}
        failures: dict[str, str] = {}
        for number in range(max((plan.batch for plan in plans.values()), default=-1) + 1):
            if failures:
                break
            for name, plan in plans.items():
                if plan.batch == number:
                    self.start(name, plan.new_slot, wanted)
                    if wanted == self.BAD_ALONE:
                        failures[name] = "bad"
                        continue
                    self.move(name, plan.new_slot)
                    if wanted == self.BAD_WITH_TRAFFIC:
                        failures[name] = "bad"
        failed = judge(plans, failures, list(plans)).get("notes")
        for name, plan in plans.items():
            if failed:
                self.move(name, plan.undo_position)
                if plan.new_slot != plan.undo_position:
                    self.stop(name, plan.new_slot)
            else:
                if plan.old_slot:
                    self.stop(name, plan.old_slot)
                self.step()
                self.hosts[name]["current"] = wanted
        if failed:
            for name in served & set(plans):
                assert self.is_serving(name), f"{name} served before the undo, and now no more"
        return not failed

    def is_settled(self, release: str) -> bool:
        return not any(plan_host("notes", seen, release)[1] for seen in self.hosts.values())


NEVER = 10_000
RUNS = st.lists(
    st.tuples(st.sampled_from(Fleet.RELEASES), st.integers(0, 40) | st.just(NEVER), st.booleans()), max_size=6
)


@given(st.integers(1, 3), RUNS, BATCHES)
def test_after_whatever_happened_the_next_run_settles(
    size: int, history: list[tuple[str, int, bool]], batches: t.Any
) -> None:
    fleet = Fleet(size)
    for wanted, kill_after, flushed in history:
        with suppress(KilledError):
            fleet.roll(wanted, batches, kill_after)
        if flushed:
            fleet.hosts["h0"]["switch"] = "absent"
    assert fleet.roll(V2, batches, NEVER)
    assert fleet.is_settled(V2)
    for name, seen in fleet.hosts.items():
        assert fleet.is_serving(name)
        assert [slot["release"] for slot in seen["slots"].values() if slot != EMPTY] == [V2]
        assert seen["current"] == V2
    before = repr(fleet.hosts)
    assert fleet.roll(V2, batches, 0), "there is no step left to take"
    assert repr(fleet.hosts) == before


@given(st.integers(1, 3), RUNS, st.sampled_from([Fleet.BAD_ALONE, Fleet.BAD_WITH_TRAFFIC]))
def test_a_bad_release_ends_where_it_began(size: int, history: list[tuple[str, int, bool]], bad: str) -> None:
    fleet = Fleet(size)
    assert fleet.roll(V1, [1], NEVER)
    for wanted, kill_after, _flushed in history:
        with suppress(KilledError):
            fleet.roll(wanted, [1], kill_after)
    assert fleet.roll(V2, [1], NEVER)
    before = repr(fleet.hosts)
    assert not fleet.roll(bad, [1, "100%"], NEVER)
    assert repr(fleet.hosts) == before


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from(Fleet.GOOD), st.integers(0, 40)), max_size=6))
def test_with_good_releases_no_host_ever_stops_serving(size: int, history: list[tuple[str, int]]) -> None:
    class Watched(Fleet):
        def step(self) -> None:
            assert all(map(self.is_serving, self.hosts))
            super().step()

    fleet = Fleet(size)
    assert fleet.roll(V1, [1], NEVER)
    watched = Watched(0)
    watched.hosts = fleet.hosts
    for wanted, kill_after in history:
        with suppress(KilledError):
            watched.roll(wanted, ["100%"], kill_after)
    assert all(map(watched.is_serving, watched.hosts))
