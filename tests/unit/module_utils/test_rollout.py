# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import (
    NO_BATCH,
    HostPlan,
    HostState,
    batch_sizes,
    least_available,
    plan_fleet,
    plan_host,
)
from hypothesis import given
from hypothesis import strategies as st

V1, V2, V3 = "1.0.0-000000000001", "2.0.0-000000000002", "3.0.0-000000000003"
EMPTY = {"release": "", "running": False, "enabled": False}


def runs(release: str, **changes: t.Any) -> dict[str, t.Any]:
    return {"release": release, "running": True, "enabled": True, "restarts": 0, **changes}


def host(
    switch: str, current: str, blue: dict[str, t.Any] | None = None, green: dict[str, t.Any] | None = None
) -> dict[str, t.Any]:
    return {
        "switch": switch,
        "lasts": switch != "absent",
        "current": current,
        "releases": [V1, V2, V3],
        "slots": {"blue": blue or EMPTY, "green": green or EMPTY},
    }


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
        # Of what an interrupted restart left behind nobody knows which instance is the new one.
        (host("green", V2, runs(V2), runs(V2)), ("green", "blue", "green")),
        (host("blue", V2, runs(V2), runs(V2)), ("blue", "green", "blue")),
    ],
)
def test_a_restart_puts_a_new_instance_beside_the_old_one(
    seen: dict[str, t.Any], planned: tuple[str, str, str]
) -> None:
    plan, needed = plan_host("notes", seen, V2, restart=True)
    assert needed
    assert (plan.old_slot, plan.new_slot, plan.undo_position) == planned
    assert list(plan.stop_first) == ([plan.new_slot] if seen["slots"][plan.new_slot] != EMPTY else [])


@pytest.mark.parametrize(
    ("seen", "strategy", "restart", "restarts"),
    [
        # Nothing but the switch is wrong, or a run was killed just before it recorded the release.
        (host("absent", V2, runs(V2, restarts=3)), "surge", False, 3),
        (host("green", V1, EMPTY, runs(V2, restarts=1)), "surge", False, 1),
        (host("absent", V2, runs(V2, restarts=3)), "in_place", False, 3),
        # It is started anew.
        (host("blue", V1, runs(V1, restarts=3)), "surge", False, 0),
        (host("blue", V1, runs(V1, restarts=3)), "in_place", False, 0),
        (host("blue", V2, runs(V2, restarts=3)), "surge", True, 0),
        (host("blue", V2, runs(V2, restarts=3)), "in_place", True, 0),
        (host("blue", V2, EMPTY, runs(V2, restarts=3)), "surge", True, 0),
        (host("blue", V1, runs(V1), runs(V2, restarts=3, running=False)), "surge", False, 0),
        # Enabling it clears the counter.
        (host("blue", V2, runs(V2, restarts=3, enabled=False)), "surge", False, 0),
    ],
)
def test_how_often_an_instance_that_stays_was_restarted_before(
    seen: dict[str, t.Any], strategy: str, restart: bool, restarts: int
) -> None:
    assert plan_host("notes", seen, V2, restart, strategy)[0].restarts == restarts


def test_a_switch_that_would_not_survive_a_reboot_is_work() -> None:
    plan, needed = plan_host("notes", {**host("blue", V2, runs(V2)), "lasts": False}, V2)
    assert needed
    assert (plan.old_slot, plan.new_slot, plan.undo_position) == ("", "blue", "blue")


DEAD = {"running": False}

# The same for the strategy in_place: slot, slots to empty first, whether the host closes, and what undoing leads to.
IN_PLACE_SITUATIONS: dict[str, tuple[dict[str, t.Any], tuple[str, tuple[str, ...], bool, str] | None]] = {
    "fresh": (host("absent", ""), ("blue", (), False, "")),
    "converged": (host("green", V2, EMPTY, runs(V2)), None),
    "update": (host("green", V1, EMPTY, runs(V1)), ("green", (), True, V1)),
    "killed after it was closed": (host("closed", V1, EMPTY, runs(V1)), ("green", (), False, V1)),
    "killed before the start": (host("closed", V1), ("blue", (), False, V1)),
    "killed in the middle of the start": (host("closed", V1, EMPTY, runs(V2, **DEAD)), ("green", (), False, V1)),
    "killed after the start": (host("closed", V1, EMPTY, runs(V2)), ("green", (), False, V1)),
    "killed before it was recorded": (host("blue", V1, runs(V2)), ("blue", (), False, V1)),
    "first release, killed after the start": (host("absent", "", runs(V2)), ("blue", (), False, "")),
    "dead": (host("blue", V2, runs(V2, **DEAD)), ("blue", (), True, V2)),
    "closed by somebody": (host("closed", V2, runs(V2)), ("blue", (), False, V2)),
    "another one was killed half-way": (host("closed", V1, runs(V3)), ("blue", (), False, V1)),
    "the way back was killed": (host("blue", V2, runs(V1)), ("blue", (), True, V1)),
    "the release to go back to is gone": (
        {**host("blue", V1, runs(V1)), "releases": [V2]},
        ("blue", (), True, V1),
    ),
    # The strategy was surge when a run was killed.
    "two instances, the old one active": (host("blue", V1, runs(V1), runs(V2)), ("blue", ("green",), True, V1)),
    "two instances, the new one active": (host("green", V1, runs(V1), runs(V2)), ("green", ("blue",), False, V1)),
}


@pytest.mark.parametrize("name", IN_PLACE_SITUATIONS)
def test_plan_host_in_place(name: str) -> None:
    seen, wanted = IN_PLACE_SITUATIONS[name]
    plan, needed = plan_host("notes", seen, V2, strategy="in_place")
    assert needed == (wanted is not None)
    if wanted is not None:
        assert (plan.new_slot, plan.stop_first, plan.closes, plan.undo_release) == wanted
        assert plan.undo_position == (plan.new_slot if plan.undo_release else "closed")
        assert plan.is_open == (seen["switch"] == plan.new_slot)
    assert (plan.old_slot, plan.release_to) == ("", V2)


def test_a_restart_in_place_replaces_the_instance() -> None:
    plan, needed = plan_host("notes", host("blue", V2, runs(V2)), V2, restart=True, strategy="in_place")
    assert needed
    assert (plan.new_slot, plan.stop_first, plan.closes) == ("blue", ("blue",), True)
    assert (plan.undo_position, plan.undo_release) == ("blue", V2)


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


def test_a_retired_host_is_left_alone_and_missed_by_nobody() -> None:
    retired = host("closed", V1) | {"retired": True}
    here = state("notes", host("blue", V1, runs(V1)))
    plans = plan_fleet({"app1": here, "app2": state("notes", retired), "app3": here})
    assert [plan.batch for plan in plans.values()] == [0, NO_BATCH, 1]
    hosts = {"a": host("blue", V1, runs(V1)), "b": host("blue", V1, runs(V1)), "c": retired}
    assert in_place_batches(hosts, 1) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("total", "wanted", "least"),
    [
        (1, "", 1),
        (2, "", 1),
        (5, "", 4),
        (3, "0", 0),
        (3, 2, 2),
        (3, "50%", 2),
        (4, "50%", 2),
        (3, "0%", 0),
        (3, "100%", 3),
        (3, "1%", 1),
        (2, "5", 5),
    ],
)
def test_least_available(total: int, wanted: t.Any, least: int) -> None:
    assert least_available(total, wanted) == least


@pytest.mark.parametrize("bad", [-1, "101%", "half", None, True, "1.5", "01"])
def test_a_bad_least_is_refused(bad: t.Any) -> None:
    with pytest.raises(ValueError, match="it wants a number or a percentage from 0% to 100%"):
        least_available(3, bad)


def in_place_batches(
    hosts: dict[str, dict[str, t.Any]], least: t.Any, absent: dict[str, str] | None = None
) -> list[list[str]]:
    states = {
        name: HostState("notes", V2, ("100%",), seen, strategy="in_place", min_available=least)
        for name, seen in hosts.items()
    }
    plans = plan_fleet(states, absent or {})
    last = max(plan.batch for plan in plans.values())
    return [[name for name, plan in plans.items() if plan.batch == number] for number in range(last + 1)]


OPEN, SHUT, DONE = host("blue", V1, runs(V1)), host("closed", V1, runs(V1)), host("blue", V2, runs(V2))


@pytest.mark.parametrize(
    ("hosts", "least", "batches"),
    [
        ({"a": OPEN, "b": OPEN, "c": OPEN}, "", [["a"], ["b"], ["c"]]),
        ({"a": OPEN, "b": OPEN, "c": OPEN, "d": OPEN}, "50%", [["a", "b"], ["c", "d"]]),
        ({"a": OPEN, "b": OPEN}, 0, [["a", "b"]]),
        ({"a": OPEN}, 0, [["a"]]),
        # Who serves nobody as it is goes first and counts as missing.
        ({"a": OPEN, "b": SHUT, "c": OPEN}, "", [["b"], ["a"], ["c"]]),
        ({"a": OPEN, "b": SHUT, "c": OPEN}, 1, [["a", "b"], ["c"]]),
        # Who has nothing to do serves.
        ({"a": OPEN, "b": DONE, "c": OPEN}, 1, [["a", "c"]]),
        # Nobody serves yet, so nobody goes away.
        ({"a": host("absent", ""), "b": host("absent", "")}, "", [["a", "b"]]),
    ],
)
def test_in_place_closes_no_more_hosts_than_may_be_missing(
    hosts: dict[str, dict[str, t.Any]], least: t.Any, batches: list[list[str]]
) -> None:
    assert in_place_batches(hosts, least) == batches


@pytest.mark.parametrize(
    ("hosts", "least", "complaint"),
    [
        ({"a": OPEN}, "", "of its 1 hosts 1 have to serve"),
        ({"a": OPEN, "b": OPEN}, 2, "of its 2 hosts 2 have to serve"),
        ({"a": OPEN, "b": OPEN}, 3, "of its 2 hosts 3 have to serve"),
        ({"a": OPEN, "b": {**DONE, "switch": "closed", "current": V2}}, 2, "2 have to serve"),
    ],
)
def test_in_place_is_refused_where_too_few_would_serve(
    hosts: dict[str, dict[str, t.Any]], least: t.Any, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        in_place_batches(hosts, least)


@pytest.mark.parametrize(
    ("least", "batches"), [("", None), (2, None), ("67%", None), (1, [["a"], ["b"]]), ("33%", [["a"], ["b"]])]
)
def test_in_place_a_host_that_is_not_in_the_play_counts_as_missing(least: t.Any, batches: t.Any) -> None:
    hosts, absent = {"a": OPEN, "b": OPEN}, {"c": "notes", "other": "users"}
    if batches:
        assert in_place_batches(hosts, least, absent) == batches
        return
    complaint = "c of notes is not in the play, so it cannot be asked. .* Run it without --limit, lower app_min_av"
    with pytest.raises(ValueError, match=complaint):
        in_place_batches(hosts, least, absent)


@pytest.mark.parametrize(
    ("ready", "least", "batches"),
    [
        # Who is not ready goes first and counts as missing.
        ({"a": True, "b": False, "c": True}, 1, {"b": 0, "a": 0, "c": 1}),
        ({"a": True, "b": False, "c": True}, 2, {"b": 0, "a": 1, "c": 2}),
        # Nobody is: perhaps the release is the cure, but not on all at once, for they may be ready again by then.
        ({"a": False, "b": False, "c": False}, 2, {"a": 0, "b": 1, "c": 2}),
    ],
)
def test_hosts_that_are_not_ready_are_missing_and_still_not_closed_all_at_once(
    ready: dict[str, bool], least: int, batches: dict[str, int]
) -> None:
    states = {
        name: HostState("notes", V2, ("100%",), OPEN, strategy="in_place", min_available=least, ready=ready[name])
        for name in ready
    }
    assert {name: plan.batch for name, plan in plan_fleet(states).items()} == batches


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
