# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import HostPlan
from ansible_collections.evenkeel.fleet.plugins.module_utils._verdict import (
    Verdict,
    begin,
    judge,
    open_up,
    outcomes,
    undo_closes,
    undo_starts,
    undo_steps,
    verdict_text,
)

V1, V2 = "1.0.0-000000000001", "2.0.0-000000000002"

PLANS = {
    "a1": HostPlan("a", V1, V2, "blue", "green", "blue", V1, batch=0),
    "a2": HostPlan("a", V1, V2, "blue", "green", "blue", V1, batch=1),
    "a3": HostPlan("a", "", V2, "", "green", "green", V2),
    "b1": HostPlan("b", V1, V2, "blue", "green", "blue", V1, batch=0),
}


def in_place(batch: int, **changes: t.Any) -> HostPlan:
    mine: dict[str, t.Any] = {"strategy": "in_place", "closes": True, "batch": batch, **changes}
    return HostPlan("a", V1, V2, "", "blue", "blue", **{"undo_release": V1, **mine})


ONE_BY_ONE = {f"h{number}": in_place(number) for number in range(4)}


def test_judge() -> None:
    assert judge(PLANS, {}, list(PLANS)) == {"a": {}, "b": {}}
    assert judge(PLANS, {"a2": "broken"}, ["a1", "a2", "b1"]) == {"a": {"a2": "broken"}, "b": {}}
    assert judge(PLANS, {"a1": "broken"}, ["a2"]) == {
        "a": {"a1": "broken"},
        "b": {"b1": "became unreachable or was stopped by an error"},
    }


def test_a_host_with_nothing_to_do_does_not_fail_a_rollout() -> None:
    assert judge(PLANS, {"a3": "broken"}, ["a1", "a2", "b1"]) == {"a": {}, "b": {}}


def test_what_failed_first_stays_first() -> None:
    failed = judge(PLANS, {"a1": "later"}, ["a1", "a2", "b1"], {"a": {"a2": "the cause"}})
    assert list(failed["a"].items()) == [("a2", "the cause"), ("a1", "later")]


def test_a_batch_begins_where_nothing_failed_and_time_is_left() -> None:
    verdict = begin(PLANS, Verdict({"a": {}, "b": {}}, {}), 0, {})
    assert verdict.begun == {"a": 0, "b": 0}
    verdict = begin(PLANS, Verdict({"a": {"a1": "broken"}, "b": {}}, verdict.begun), 1, {})
    assert verdict.begun == {"a": 0, "b": 0}
    late = begin(PLANS, Verdict({"a": {}, "b": {}}, verdict.begun), 1, {"a": "too late", "b": "too late"})
    assert late.failed == {"a": {"a2": "batch 2 did not begin: too late"}, "b": {}}
    assert late.begun == {"a": 0, "b": 0}


def test_a_batch_gets_users_where_nothing_failed() -> None:
    verdict = open_up(Verdict({"a": {"a1": "broken"}, "b": {}}, {"a": 1, "b": 1}, {"a": 0, "b": 0}))
    assert verdict.opened == {"a": 0, "b": 1}


def test_where_old_instances_run_all_go_back_at_once() -> None:
    verdict = Verdict({"a": {"a1": "broken"}, "b": {}}, {"a": 0, "b": 0}, stranded=["a1"])
    assert undo_steps(PLANS, verdict) == {"a1": 0, "a2": 0}
    assert not any(undo_closes(plan, verdict) for plan in PLANS.values())


def test_in_place_the_last_batch_goes_back_first() -> None:
    verdict = Verdict({"a": {"h2": "broken"}}, {"a": 2})
    assert undo_steps(ONE_BY_ONE, verdict) == {"h2": 0, "h1": 1, "h0": 2, "h3": 0}
    assert {name for name, plan in ONE_BY_ONE.items() if undo_closes(plan, verdict)} == {"h0", "h1", "h2"}


def test_in_place_a_host_that_was_not_touched_is_never_closed() -> None:
    plans = {**ONE_BY_ONE, "h2": in_place(2, is_open=True), "h3": in_place(3, is_open=False)}
    verdict = Verdict({"a": {"h1": "broken"}}, {"a": 1})
    assert undo_steps(plans, verdict) == {"h1": 0, "h0": 1, "h2": 0, "h3": 0}
    assert [undo_closes(plan, verdict) for plan in plans.values()] == [True, True, False, False]
    # One that was closed before may as well be opened, with what it had settled on.
    assert [undo_starts(plan, verdict) for plan in plans.values()] == [True, True, False, True]


def test_in_place_nobody_who_serves_is_closed_while_a_host_is_stranded() -> None:
    verdict = Verdict({"a": {"h2": "broken"}}, {"a": 2}, {"a": 2}, stranded=["h2"])
    assert undo_steps(ONE_BY_ONE, verdict) == {"h0": -1, "h1": -1, "h2": 0, "h3": 0}
    assert outcomes(ONE_BY_ONE, verdict, []) == {"h0": "frozen", "h1": "frozen", "h2": "stranded", "h3": "undone"}


def test_in_place_nobody_stays_closed_because_another_host_of_the_batch_was_lost() -> None:
    plans = {"h0": in_place(0), "h1": in_place(1), "h2": in_place(1)}
    verdict = Verdict({"a": {"h2": "gone"}}, {"a": 1}, {"a": 0}, stranded=["h2"])
    assert undo_steps(plans, verdict) == {"h0": -1, "h1": 0, "h2": 0}
    assert outcomes(plans, verdict, []) == {"h0": "frozen", "h1": "undone", "h2": "stranded"}


def test_a_restart_in_place_closes_nothing_to_go_back() -> None:
    verdict = Verdict({"a": {"h": "broken"}}, {"a": 0})
    assert not undo_closes(in_place(0, undo_release=V2), verdict)


def test_outcomes() -> None:
    verdict = Verdict({"a": {"a1": "broken"}, "b": {}}, {"a": 0, "b": 0})
    assert outcomes(PLANS, verdict, []) == {"a1": "undone", "a2": "undone", "b1": "kept"}
    assert outcomes(PLANS, verdict, ["a"]) == {"a1": "frozen", "a2": "frozen", "b1": "kept"}


NOW = {
    "a1": {
        "switch": "green",
        "slots": {"blue": {"release": V1, "running": True}, "green": {"release": V2, "running": True}},
    },
    "a2": {
        "switch": "closed",
        "slots": {"blue": {"release": "", "running": False}, "green": {"release": V2, "running": False}},
    },
}


def test_whoever_is_lost_after_the_release_was_kept_undoes_nothing() -> None:
    verdict = Verdict({"a": {"a1": "gone"}, "b": {}}, {"a": 0, "b": 0}, stranded=["a1"], kept=["a", "b"])
    made = outcomes(PLANS, verdict, [])
    assert made.pop("a1") == "stranded"
    assert set(made.values()) == {"kept"}
    text = verdict_text(PLANS, verdict, [], NOW)
    assert text.startswith("a1: gone. a ")
    assert text.endswith(" was kept on the others; run the playbook site again to go on.")


def test_the_text_has_the_cause_first() -> None:
    text = verdict_text(PLANS, Verdict({"a": {"a1": "GET /ready answered 503"}, "b": {}}, {"a": 0}), [], NOW)
    assert text == (f"a1: GET /ready answered 503. a {V2} was not kept; every host is back on what it ran before.")
    assert verdict_text(PLANS, Verdict({"a": {}, "b": {}}, {}), [], NOW) == ""


def test_the_text_names_whoever_is_not_back() -> None:
    text = verdict_text(PLANS, Verdict({"a": {"a1": "gone"}}, {"a": 0}, stranded=["a1"]), [], NOW)
    assert "a1 could not be brought back; every other host is back on what it ran before." in text
    text = verdict_text(ONE_BY_ONE, Verdict({"a": {"h2": "gone"}}, {"a": 2}, {"a": 2}, ["h2"]), [], {})
    assert "h2 could not be brought back; h0, h1 keep it, since nobody" in text
    assert verdict_text(ONE_BY_ONE, Verdict({"a": {"h0": "no"}}, {}), [], {}) == (
        f"h0: no. a {V2} was not rolled out; nothing was shifted, every host is as it was."
    )
    text = verdict_text({"h": in_place(0)}, Verdict({"a": {"h": "gone"}}, {"a": 0}, stranded=["h"]), [], {})
    assert text == f"h: gone. a {V2} was not kept; h could not be brought back; run the playbook site again to go on."


def test_the_text_says_what_a_frozen_fleet_runs() -> None:
    text = verdict_text(PLANS, Verdict({"a": {"a2": "broken"}}, {"a": 1}), ["a"], NOW)
    assert f"a2: broken. a {V2} was not kept, and every host is left as it is: " in text
    assert f"a1 serves {V2} (green), {V1} runs in blue;" in text
    assert f"a2 is closed, {V2} is down in green;" in text
    assert "a3" not in text
    assert text.endswith("or the playbook rollback to go back.")


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"switch": "absent", "slots": NOW["a2"]["slots"]}, f"has no switch, {V2} is down in green"),
        ({"switch": "green", "slots": NOW["a2"]["slots"]}, f"serves {V2} (green, which is down)"),
    ],
)
def test_the_text_of_odd_hosts(seen: dict[str, t.Any], said: str) -> None:
    verdict = Verdict({"a": {"a1": "broken"}}, {"a": 0})
    assert said in verdict_text({"a1": PLANS["a1"]}, verdict, ["a"], {"a1": seen})
