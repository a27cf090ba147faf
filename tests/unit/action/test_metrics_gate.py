# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.action.metrics_gate import SPEC, ActionModule
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Counters, Growth
from ansible_collections.evenkeel.fleet.plugins.modules import metrics_gate

Gate = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def gate(act: t.Callable[..., dict[str, t.Any]]) -> Gate:
    def call(new: tuple[int, int], old: tuple[int, int], **arguments: t.Any) -> dict[str, t.Any]:
        sides = {
            side: {f"{side}1": Growth("", 2, Counters(*seen), Counters()).stored()}
            for side, seen in (("new", new), ("old", old))
        }
        return act(ActionModule, {}, **{**sides, "look": 1, "looks": 1, **arguments})

    return call


def test_pass(gate: Gate) -> None:
    result = gate((1000, 1), (1000, 2))
    assert (result["verdict"], result["over"], result.get("failed")) == ("pass", True, None)


def test_fail(gate: Gate) -> None:
    result = gate((1000, 50), (1000, 2))
    assert (result["verdict"], result["failed"]) == ("fail", True)
    assert result["msg"] == (
        "the new release fails more often: 5.00% of 1000 requests failed, with the old one 0.20% of 1000 requests"
    )


@pytest.mark.parametrize("policy", ["fail", "wait"])
def test_no_traffic_is_never_a_pass(gate: Gate, policy: str) -> None:
    result = gate((0, 0), (0, 0), on_inconclusive=policy)
    assert (result["verdict"], result["over"], result["failed"]) == ("inconclusive", True, True)
    assert result["msg"] == (
        "the comparison with the old release is inconclusive: the new release answered 0 requests on new1, wanted 300 "
        f"to tell (on_inconclusive: {policy})"
    )


def test_who_lets_it_pass_is_warned(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    result = gate((0, 0), (0, 0), on_inconclusive="pass")
    assert (result["verdict"], result["over"], result.get("failed")) == ("inconclusive", True, None)
    assert "is inconclusive: the new release answered 0 requests" in " ".join(capsys.readouterr().err.split())


def test_waiting(gate: Gate) -> None:
    result = gate((0, 0), (0, 0), on_inconclusive="wait", extra_looks=3)
    assert (result["verdict"], result["over"], result.get("failed")) == ("inconclusive", False, None)
    assert gate((0, 0), (0, 0), on_inconclusive="fail", extra_looks=3)["over"]


def test_rules_that_make_no_sense_are_refused(gate: Gate) -> None:
    assert gate((0, 0), (0, 0), min_requests=0)["msg"].startswith("min_requests is 0; it wants 1 or more")


def test_the_documentation_says_what_it_takes() -> None:
    documented = yaml.safe_load(metrics_gate.DOCUMENTATION)["options"]
    for option in documented.values():
        del option["description"]
    assert documented == SPEC
