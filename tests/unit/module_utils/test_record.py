# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t
from xml.etree import ElementTree

from ansible_collections.evenkeel.fleet.plugins.module_utils._record import Recorder, junit, report
from ansible_collections.evenkeel.fleet.plugins.module_utils._steps import Event

OLD, NEW = "1.0.0-aaaaaaaaaaaa", "1.1.0-bbbbbbbbbbbb"
CAUSE = "not healthy after 20.0 s: GET /ready answered 503"


def event(host: str, action: str, result: dict[str, t.Any], outcome: str = "ok", **more: t.Any) -> Event:
    return Event(host, f"evenkeel.fleet.{action}", f"app : {action}", outcome, result, at=110.0, seconds=2.0, **more)


def planned(rollout: str = "r1", needed: bool = True) -> Event:
    host = {"service": "notes", "release_from": OLD, "release_to": NEW, "new_slot": "green", "batch": 0}
    hosts = {"app1": host, "app2": {**host, "batch": 1}, "app3": {**host, "batch": -1}}
    result = {"rollout": rollout, "owner": "ann@control", "needed": needed, "hosts": hosts}
    return Event("app1", "evenkeel.fleet.rollout_plan", "plan", "ok", result, at=100.0, run_once=True)


def staged(host: str) -> Event:
    return event(host, "release", {"id": NEW, "exposure": 1.1, "diff": {"after": {"releases": [NEW]}}}, "changed")


def released(host: str, outcome: str) -> Event:
    return event(
        host, "rollout_lease", {"invocation": {"module_args": {"state": "released", "entry": {"outcome": outcome}}}}
    )


def stopped(host: str, cut: int) -> Event:
    sides = {"before": {"release": OLD}, "after": {"slot": "blue", "running": False}}
    return event(host, "slot", {"diff": sides, "connections": cut, "waited": 30.0}, "changed")


def record(*events: Event) -> Recorder:
    recorder = Recorder()
    for one in events:
        recorder.add(one)
    return recorder


def data(*events: Event) -> dict[str, t.Any]:
    return report(record(*events).rollouts[0], ended=131.0)


def test_a_good_rollout() -> None:
    found = data(
        *(staged("app1"), planned(), planned()),
        event("app1", "health_gate", {"looks": 4, "seconds": 1.5, "timeline": [{"at": 0.0, "ok": True}]}),
        *(stopped("app1", 2), released("app1", "kept"), stopped("app2", 1), released("app2", "kept")),
    )
    assert {name: found[name] for name in ("rollout", "owner", "started", "seconds", "outcome", "cause")} == {
        "rollout": "r1",
        "owner": "ann@control",
        "started": 100.0,
        "seconds": 31.0,
        "outcome": "kept",
        "cause": "",
    }
    notes = found["services"]["notes"]
    assert (notes["outcome"], notes["cut_connections"], list(notes["hosts"])) == ("kept", 3, ["app1", "app2"])
    app1 = notes["hosts"]["app1"]
    assert [step["exposure"] for step in app1["steps"] if "exposure" in step] == [1.1]
    assert (app1["from"], app1["to"], app1["batch"], app1["outcome"]) == (OLD, NEW, 1, "kept")
    assert [step["step"] for step in app1["steps"]] == ["stage", "gate", "stop"]
    assert app1["steps"][1]["timeline"] == [{"at": 0.0, "ok": True}]
    assert json.loads(json.dumps(found)) == found


def test_a_refused_release_says_why() -> None:
    refused = event("app1", "health_gate", {"msg": CAUSE, "journal": ["no"]}, "failed")
    verdict = Event("app1", "ansible.builtin.fail", "settle", "failed", {"msg": "not kept"}, run_once=True)
    found = data(planned(), refused, released("app1", "undone"), released("app2", "undone"), verdict)
    assert (found["outcome"], found["cause"]) == ("undone", CAUSE)
    assert [step["text"] for step in found["services"]["notes"]["hosts"]["app1"]["steps"]] == [CAUSE]


def test_hosts_without_a_last_word() -> None:
    lost = event("app1", "slot", {"msg": "ssh: no route to host"}, "unreachable")
    hosts = data(planned(), lost)["services"]["notes"]["hosts"]
    assert {host: seen["outcome"] for host, seen in hosts.items()} == {"app1": "unreachable", "app2": "unfinished"}


def test_where_nothing_was_needed_there_is_no_rollout() -> None:
    assert record(planned(needed=False)).rollouts == []
    assert record(planned(), planned(needed=False)).rollouts == []


def test_each_rollout_of_a_run_has_its_own_record() -> None:
    first, second = record(planned("r1"), stopped("app1", 1), planned("r2"), stopped("app1", 2)).rollouts
    assert [report(one, 0)["services"]["notes"]["cut_connections"] for one in (first, second)] == [1, 2]


def test_junit() -> None:
    refused = event("app1", "health_gate", {"msg": CAUSE, "journal": ["bell \a", "<end>"]}, "failed")
    found = data(planned(), refused, released("app1", "undone"), released("app2", "kept"))
    (suite,) = ElementTree.fromstring(junit(found))
    assert suite.attrib == {"name": "notes", "tests": "3", "failures": "2", "errors": "0"}
    gate = suite[0]
    assert gate.attrib == {"classname": "notes.app1", "name": "app : health_gate", "time": "2.0"}
    assert (gate[0].attrib["message"], gate[0].text) == (CAUSE, "bell ?\n<end>")
