# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path
from types import SimpleNamespace

from ansible_collections.evenkeel.fleet.plugins.module_utils._events import Watch, name_of, short_path

if t.TYPE_CHECKING:
    from conftest import Clock


def task(**changes: t.Any) -> t.Any:
    known = {
        "_uuid": "u1",
        "action": "slot",
        "resolved_action": "evenkeel.fleet.slot",
        "delegate_to": None,
        "run_once": False,
        "get_name": lambda: "evenkeel.fleet.app : shift | Start it",
        "get_path": lambda: "",
    }
    return SimpleNamespace(**{**known, **changes})


def result(of: t.Any, host: str = "app1", **found: t.Any) -> t.Any:
    return SimpleNamespace(_host=SimpleNamespace(get_name=lambda: host), _task=of, _result=found)


def test_an_event_knows_how_long_its_task_took(clock: Clock) -> None:
    watch, one = Watch(clock.now, clock.now), task()
    watch.started("app1", one)
    clock.sleep(2.5)
    event = watch.ended(result(one, changed=True), "ok")
    assert (event.host, event.action, event.outcome) == ("app1", "evenkeel.fleet.slot", "changed")
    assert (event.task, event.seconds, event.at) == ("app : shift | Start it", 2.5, 1002.5)


def test_the_items_of_a_loop_take_their_time_together(clock: Clock) -> None:
    watch, one = Watch(clock.now, clock.now), task()
    watch.started("app1", one)
    clock.sleep(1)
    assert watch.ended(result(one, ansible_loop_var="slot"), "ok").seconds == 1
    clock.sleep(1)
    assert watch.ended(result(one), "ok").seconds == 2


def test_who_is_waited_for(clock: Clock) -> None:
    watch, one = Watch(clock.now, clock.now), task()
    watch.started("app1", one)
    watch.started("app2", one)
    watch.ended(result(one), "ok")
    assert watch.waiting(one) == (["app2"], 2)


def test_the_items_of_a_loop_are_those_of_its_host(clock: Clock) -> None:
    watch, one = Watch(clock.now, clock.now), task()
    watch.item(result(one), "a")
    watch.item(result(one, "app2"), "b")
    assert watch.ended(result(one, changed=True), "ok").items == ("a",)


def test_a_task_for_another_host_says_so(clock: Clock) -> None:
    watch = Watch(clock.now, clock.now)
    assert watch.ended(result(task(delegate_to="lb1")), "ok").host == "app1 -> lb1"


def test_a_task_without_a_name_has_that_of_its_action() -> None:
    assert name_of(task(get_name=lambda: "command")) == "command"


def test_paths_are_short_where_they_can_be(tmp_path: Path) -> None:
    assert short_path(f"{Path.cwd()}/roles/app/tasks/main.yml:3") == "roles/app/tasks/main.yml:3"
    assert short_path(f"{tmp_path}/play.yml:3") == f"{tmp_path}/play.yml:3"
    assert short_path("") == ""
