# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._steps import Event, step_of

NEW = "1.1.0-bbbbbbbbbbbb"


def told(action: str, result: dict[str, t.Any], outcome: str = "changed") -> str:
    step = step_of(Event("app1", f"evenkeel.fleet.{action}", "task", outcome, result))
    return step.did if step else ""


def stopped(**result: t.Any) -> dict[str, t.Any]:
    return {"diff": {"before": {"release": NEW}, "after": {"slot": "blue", "release": "", "running": False}}, **result}


@pytest.mark.parametrize(
    ("action", "result", "text"),
    [
        ("release", {"id": NEW, "diff": {"after": {"releases": [NEW]}}}, f"staged {NEW}"),
        ("release", {"id": NEW, "diff": {"after": {"current": NEW}}}, f"recorded {NEW} as current"),
        ("release", {"id": NEW, "diff": {"after": {"releases": []}}}, f"removed {NEW}"),
        ("slot", {"diff": {"after": {"slot": "blue", "release": NEW, "running": True}}}, f"started {NEW} in blue"),
        ("slot", stopped(), f"stopped {NEW} in blue"),
        ("slot", stopped(waited=3.14, connections=0), f"stopped {NEW} in blue after 3.1 s"),
        ("slot", stopped(waited=30.0, connections=1), f"stopped {NEW} in blue after 30.0 s, which cut 1 connection"),
        ("traffic_switch", {"position": "green"}, "moved the switch to green"),
        ("traffic_switch", {"position": "closed"}, "closed the switch"),
        ("health_gate", {"looks": 3, "seconds": 1.04}, "good after 1.0 s"),
        ("metrics_gate", {"over": True, "verdict": "pass", "text": "0 of 9"}, "no worse than the old one: 0 of 9"),
        ("metrics_gate", {"over": True, "verdict": "inconclusive", "text": "no"}, "of which nothing can be told: no"),
        ("metrics_gate", {"over": False, "verdict": "inconclusive", "text": "too early to tell"}, ""),
        ("rollout_info", {}, ""),
    ],
)
def test_steps(action: str, result: dict[str, t.Any], text: str) -> None:
    assert told(action, result) == text


@pytest.mark.parametrize("action", ["release", "slot", "traffic_switch"])
def test_what_was_so_already_is_no_step(action: str) -> None:
    assert told(action, {"id": NEW, "position": "green", "diff": {"after": {"running": True}}}, "ok") == ""


def test_a_gate_that_did_not_look_is_no_step() -> None:
    assert told("health_gate", {"looks": 0, "seconds": 0.0}, "ok") == ""


def test_a_failure_is_no_step() -> None:
    assert told("traffic_switch", {"position": "green"}, "failed") == ""


def test_the_steps_of_other_collections_are_none() -> None:
    assert step_of(Event("app1", "acme.tools.slot", "task", "changed", stopped())) is None


def test_a_loop_is_no_step_for_its_items_were() -> None:
    assert told("slot", {"results": [stopped(), stopped()]}) == ""


def test_a_step_counts_what_it_cut() -> None:
    step = step_of(Event("app1", "evenkeel.fleet.slot", "task", "changed", stopped(waited=1.0, connections=4)))
    assert step is not None
    assert step.cut == 4
