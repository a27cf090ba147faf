# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan and the verdict, from what the hosts of a play registered."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.action import rollout_plan, rollout_verdict

Act = t.Callable[..., dict[str, t.Any]]

V0, V1, V2 = "0.9.0-000000000000", "1.0.0-000000000001", "2.0.0-000000000002"

SETTINGS = {
    "app_name": "notes",
    "app_port": 8000,
    "app_slot_ports": {"blue": 8001, "green": 8002},
    "app_live_path": "/health",
    "app_batches": [1, "100%"],
    "app_strategy": "surge",
    "app_min_available": "",
    "app_on_failure": "rollback",
    "app_irreversible": False,
    "app_progress_timeout": 7200.0,
    "app_migrate_command": [],
    "app_migrate_timeout": 600,
    "app_lease_ttl": 300,
    "app_drain_timeout": 30,
    "app_stop_timeout": 75,
    "app_gate_timeout": 60.0,
    "app_in_place_pause": 30,
    "app_metrics_gate": False,
    "app_memory_max": "infinity",
    "app_database_host": "db1",
    "app_database_connections": 20,
    "app_database_pooled": False,
    "app_ready_path": "/ready",
    "app_ready_json": {},
    "app_version_path": "",
    "app_gate_min_healthy": 10.0,
    "app_bake_min_healthy": 10.0,
}
SEEN = {
    "ready": True,
    "answer": "",
    "memory": {"total": 4 << 30, "available": 1 << 30},
    "releases": [V0, V1, V2],
    "current": V1,
    "previous": V0,
    "slots": {
        "blue": {"release": V1, "running": True, "enabled": True, "restarts": 0, "memory": 100 << 20},
        "green": {"release": "", "running": False, "enabled": False, "memory": 0},
    },
    "switch": "blue",
    "serves_at": 8000,
    "lasts": True,
    "lease": {},
}


def fleet(*names: str, **settings: t.Any) -> dict[str, t.Any]:
    """The variables of a play in which the hosts have checked their settings, staged V2 and looked around."""
    registered = {
        "__app_check": {"settings": {**SETTINGS, **settings}, "probes": ["tcp 8003"]},
        "__app_info": SEEN,
        "__app_release": {"id": V2},
    }
    return {
        "hostvars": {name: copy.deepcopy(registered) for name in names},
        "ansible_play_hosts": list(names),
        "ansible_play_hosts_all": list(names),
        "groups": {"all": list(names)},
    }


@pytest.fixture
def plan(act: Act) -> t.Callable[..., dict[str, t.Any]]:
    return lambda variables, **arguments: act(rollout_plan.ActionModule, variables, **arguments)


@pytest.fixture
def judge(act: Act) -> t.Callable[..., dict[str, t.Any]]:
    """Judges, and registers what it said for every host as the role does."""

    def call(variables: dict[str, t.Any], plan: dict[str, t.Any], **arguments: t.Any) -> dict[str, t.Any]:
        # As Ansible hands it on from task to task.
        said = act(rollout_verdict.ActionModule, variables, plan=json.loads(json.dumps(plan)), **arguments)
        variables["__app_verdict"] = json.loads(json.dumps(said))
        return said

    return call


def test_a_plan(plan: Act) -> None:
    result = plan(fleet("app1", "app2", "app3"))
    assert (result["needed"], result["batches"], result["target"]) == (True, 2, "staged")
    assert result["plan"]["app3"] == f"{V1} (blue) -> {V2} (green), batch 2 of 2"
    assert result["hosts"]["app1"]["undo_release"] == V1
    assert result["connections"] == {"notes": 60}
    assert (result["lease_ttl"], result["first_lease_ttl"]) == (450, 450)
    assert {mine["arbiter"] for mine in result["hosts"].values()} == {"app1"}
    assert result["rollout"].count("Z-") == 1


def test_a_second_plan_is_of_the_same_rollout_and_of_what_the_lease_saw(plan: Act) -> None:
    variables = fleet("app1")
    variables["hostvars"]["app1"]["__app_lease"] = {"seen": {**SEEN, "switch": "closed"}}
    result = plan(variables, rollout="20260102T030405Z-a1b2")
    assert result["rollout"] == "20260102T030405Z-a1b2"
    assert result["hosts"]["app1"]["undo_position"] == "blue"


def test_a_lease_that_somebody_left_wants_to_be_released_even_where_nothing_else_is_to_be_done(plan: Act) -> None:
    variables = fleet("app1", "app2")
    for host in variables["hostvars"].values():
        host["__app_release"] = {"id": V1}
    assert not plan(variables)["needed"]
    variables["hostvars"]["app2"]["__app_info"]["lease"] = {"rollout": "20260102T030405Z-a1b2"}
    assert plan(variables)["needed"]
    # Under the lease, which is its own by then, there is nothing to do but to release it.
    own = plan(variables, rollout="20260102T030405Z-c3d4")
    assert (own["needed"], own["leased"]) == (False, True)


def test_what_an_earlier_rollout_of_the_play_saw_under_its_lease_counts_no_more(plan: Act) -> None:
    variables = fleet("app1")
    variables["hostvars"]["app1"]["__app_lease"] = {"seen": {**SEEN, "current": V2}}
    assert plan(variables)["hosts"]["app1"]["release_from"] == V1


@pytest.mark.parametrize(
    ("arguments", "leads_to"),
    [
        ({"target": "previous"}, V0),
        ({"target": "previous", "release": "2.0.0"}, V2),
        ({"target": "current"}, V1),
    ],
)
def test_where_a_plan_leads(plan: Act, arguments: dict[str, str], leads_to: str) -> None:
    assert plan(fleet("app1"), **arguments)["hosts"]["app1"]["release_to"] == leads_to


OLD_ENDPOINT = {"public": 8000, "blue": 8011, "green": 8012, "live_path": "/alive"}
GIVEN_ENDPOINT = {"public": 8000, "blue": 8001, "green": 8002, "live_path": "/health"}


def test_a_release_is_reached_where_it_says_whatever_the_settings_say_by_now(plan: Act) -> None:
    variables = fleet("app1")
    variables["hostvars"]["app1"]["__app_info"]["endpoints"] = {V1: OLD_ENDPOINT, V0: OLD_ENDPOINT}
    mine = plan(variables)["hosts"]["app1"]
    assert (mine["endpoint"], mine["undo_endpoint"]) == (GIVEN_ENDPOINT, OLD_ENDPOINT)
    back = plan(variables, target="previous")["hosts"]["app1"]
    assert (back["endpoint"], back["undo_endpoint"]) == (OLD_ENDPOINT, OLD_ENDPOINT)


def test_a_service_that_runs_is_not_moved_to_another_public_port(plan: Act) -> None:
    variables = fleet("app1", "app2", "app3", app_port=9000)
    variables["hostvars"]["app3"]["__app_info"]["serves_at"] = 0
    said = plan(variables)["msg"]
    assert "users reach notes on app1, app2 at port 8000, but it is to be reached at 9000 (app_port)" in said
    assert "Nothing was changed. Keep 8000; or stop the service with the playbook emergency_stop" in said
    for host in variables["hostvars"].values():
        host["__app_info"]["serves_at"] = 0
    assert plan(variables)["needed"]


def test_nor_by_a_rollback(plan: Act) -> None:
    variables = fleet("app1")
    variables["hostvars"]["app1"]["__app_info"]["endpoints"] = {V0: {**OLD_ENDPOINT, "public": 7000}}
    assert "is to be reached at 7000" in plan(variables, target="previous")["msg"]
    assert plan(variables)["needed"]


def test_on_a_retired_host_nothing_was_staged(plan: Act) -> None:
    variables = fleet("app1", "app2")
    variables["hostvars"]["app2"] |= {"__app_info": {**SEEN, "retired": True}, "__app_release": {"skipped": True}}
    result = plan(variables)
    assert set(result["plan"]) == {"app1"}


def test_a_plan_that_cannot_be_says_why(plan: Act) -> None:
    result = plan(fleet("app1", app_strategy="in_place"))
    assert result["failed"]
    assert result["msg"].startswith("notes: strategy in_place closes a host while it is updated")
    result = plan(fleet("app1"), target="previous", release="9.9.9")
    assert "no host has a release 9.9.9" in result["msg"]


def test_in_place_hosts_that_were_left_out_are_missed(plan: Act) -> None:
    variables = fleet("app1", "app2", "app3", app_strategy="in_place")
    variables["ansible_play_hosts"] = variables["ansible_play_hosts_all"] = ["app1", "app2"]
    variables["hostvars"]["lb1"] = {}
    variables["groups"]["all"].append("lb1")
    assert plan(variables)["needed"], "app3 is of no service"
    variables["hostvars"]["app3"]["app_name"] = "notes"
    assert "app3 of notes is not in the play" in plan(variables)["msg"]


def test_a_host_that_an_earlier_play_lost_is_not_left_out_in_silence(plan: Act) -> None:
    variables = fleet("app1", "app2", "app3")
    variables["ansible_play_hosts"] = ["app1"]
    said = plan(variables)["msg"]
    assert said.startswith("app2, app3 failed or could not be reached earlier in this run")
    assert said.endswith("--limit 'all:!app2:!app3'")


def test_one_host_migrates_unless_an_earlier_rollout_did(plan: Act) -> None:
    variables = fleet("app1", "app2", app_migrate_command=["notes", "migrate"])

    def who(**arguments: str) -> list[str]:
        return [name for name, mine in plan(variables, **arguments)["hosts"].items() if mine["migrates"]]

    assert who() == ["app1"]
    assert who(target="previous") == []
    assert who(target="current") == []
    variables["hostvars"]["app1"]["__app_info"]["current"] = V2
    assert who() == []


def test_from_what_is_irreversible_nobody_goes_back_unasked(plan: Act) -> None:
    variables = fleet("app1", app_irreversible=True)
    assert "name a release with app_rollback_to" in plan(variables, target="previous")["msg"]
    assert plan(variables, target="previous", release=V0)["hosts"]["app1"]["release_to"] == V0
    assert plan(variables)["needed"]


def test_hosts_without_memory_for_two_are_refused_but_may_go_back(plan: Act) -> None:
    variables = fleet("app1", "app2", app_memory_max="2G")
    result = plan(variables)
    assert result["failed"]
    assert (
        "app1 has 1024 MiB of memory left, but a second instance may take 2048 MiB (app_memory_max); app2"
        in (result["msg"])
    )
    assert plan(variables, target="previous")["needed"]
    assert "app1 has 1024 MiB of memory left" in plan(variables, target="current")["msg"], "a restart is no way back"


def test_a_plan_tells_how_and_what_is_not_well(plan: Act) -> None:
    variables = fleet("app1", "app2")
    variables["hostvars"]["app2"]["__app_info"].update(ready=False, answer="GET /ready answered 503")
    result = plan(variables, rollout="20260102T030405Z-a1b2")
    assert result["summary"] == [
        "notes: strategy surge; batches of 1, 1; gate wants /ready, tcp 8003 for 10 s, with traffic for 10 s"
    ]
    assert result["notes"] == {"app2": "is not ready now: GET /ready answered 503"}


def test_services_have_plans_of_their_own(plan: Act) -> None:
    variables = fleet("app1", "app2")
    variables["hostvars"]["app2"]["__app_check"]["settings"].update(app_name="other", app_strategy="in_place")
    variables["hostvars"]["app2"]["__app_check"]["settings"]["app_min_available"] = "0"
    hosts = plan(variables)["hosts"]
    assert [(mine["service"], mine["strategy"], mine["batch"]) for mine in hosts.values()] == [
        ("notes", "surge", 0),
        ("other", "in_place", 0),
    ]


def test_a_good_rollout(plan: Act, judge: Act) -> None:
    variables = fleet("app1", "app2")
    planned = plan(variables)
    for batch in range(planned["batches"]):
        said = judge(variables, planned, batch=batch)
        assert (said["failed_services"], said["begun"]) == ([], {"notes": batch})
    said = judge(variables, planned)
    assert said["outcomes"] == {"app1": "kept", "app2": "kept"}
    assert (said["text"], said["undo"], said["undo_steps"]) == ("", {}, 0)


def test_a_gate_that_failed(plan: Act, judge: Act) -> None:
    variables = fleet("app1", "app2")
    planned = plan(variables)
    judge(variables, planned, batch=0)
    variables["hostvars"]["app1"]["__app_failure"] = {"msg": "not healthy"}
    said = judge(variables, planned, batch=1)
    assert (said["failed_services"], said["begun"]) == (["notes"], {"notes": 0})
    back = {"step": 0, "close": False, "start": False}
    assert said["undo"] == {"app1": back, "app2": back}
    assert said["text"].startswith("app1: not healthy. ")


def test_a_host_that_dropped_out_stays_the_cause(plan: Act, judge: Act) -> None:
    variables = fleet("app1", "app2")
    planned = plan(variables)
    judge(variables, planned, batch=0)
    variables["ansible_play_hosts"] = ["app1"]
    said = judge(variables, planned)
    assert said["outcomes"] == {"app1": "undone", "app2": "stranded"}
    assert "app2 could not be brought back" in said["text"]


def test_whose_batch_got_users_stays_while_a_host_is_lost(plan: Act, judge: Act) -> None:
    variables = fleet("app1", "app2", "app3", "app4", app_strategy="in_place", app_min_available="0")
    variables["hostvars"]["app1"]["__app_check"]["settings"]["app_batches"] = [1, 3]
    planned = plan(variables)
    judge(variables, planned, batch=0)
    assert judge(variables, planned, opens=True)["opened"] == {"notes": 0}
    judge(variables, planned, batch=1)
    variables["ansible_play_hosts"] = ["app1", "app3", "app4"]
    assert judge(variables, planned, opens=True)["opened"] == {"notes": 0}
    said = judge(variables, planned)
    assert said["outcomes"] == {"app1": "frozen", "app2": "stranded", "app3": "undone", "app4": "undone"}


def test_a_host_that_could_not_be_brought_back(plan: Act, judge: Act) -> None:
    variables = fleet("app1", "app2")
    planned = plan(variables)
    judge(variables, planned, batch=0)
    variables["hostvars"]["app1"]["__app_failure"] = {"msg": "not healthy"}
    judge(variables, planned)
    variables["hostvars"]["app2"]["__app_undo_failure"] = {"msg": "no answer"}
    said = judge(variables, planned)
    assert said["outcomes"] == {"app1": "undone", "app2": "stranded"}
    assert said["text"].startswith("app1: not healthy. app2: could not be brought back: no answer. ")


@pytest.mark.parametrize("settings", [{"app_on_failure": "freeze"}, {"app_irreversible": True}])
def test_freezing(plan: Act, judge: Act, settings: dict[str, t.Any]) -> None:
    variables = fleet("app1", "app2", **settings)
    planned = plan(variables)
    judge(variables, planned, batch=0)
    variables["hostvars"]["app1"]["__app_failure"] = {"msg": "not healthy"}
    said = judge(variables, planned)
    assert (said["frozen_services"], said["undo"], said["undo_steps"]) == (["notes"], {}, 0)
    assert said["outcomes"] == {"app1": "frozen", "app2": "frozen"}
    assert f"app2 serves {V1} (blue);" in said["text"]


def test_before_the_first_batch_there_is_nothing_to_freeze(plan: Act, judge: Act) -> None:
    variables = fleet("app1", app_on_failure="freeze")
    planned = plan(variables)
    variables["hostvars"]["app1"]["__app_failure"] = {"msg": "no migration"}
    said = judge(variables, planned)
    assert said["frozen_services"] == []
    assert f"notes {V2} was not rolled out; nothing was shifted" in said["text"]


def test_what_is_irreversible_says_nothing_of_the_way_back(plan: Act, judge: Act) -> None:
    variables = fleet("app1", app_irreversible=True)
    planned = plan(variables, target="previous", release=V0)
    judge(variables, planned, batch=0)
    variables["hostvars"]["app1"]["__app_failure"] = {"msg": "not healthy"}
    assert judge(variables, planned)["frozen_services"] == []


def test_time_is_up(plan: Act, judge: Act) -> None:
    variables = fleet("app1", "app2", app_progress_timeout=60.0)
    planned = plan(variables)
    judge(variables, planned, batch=0)
    planned["began"] -= 61
    said = judge(variables, planned, batch=1)
    assert said["failed_services"] == ["notes"]
    assert "app2: batch 2 did not begin: 61 s have passed since the rollout began" in said["text"]
    assert judge(variables, planned)["failed_services"] == ["notes"], "it does not begin later either"


def test_a_last_batch_that_began_in_time_may_end_later(plan: Act, judge: Act) -> None:
    variables = fleet("app1", app_progress_timeout=60.0)
    planned = plan(variables)
    judge(variables, planned, batch=0)
    planned["began"] -= 61
    assert judge(variables, planned)["failed_services"] == []


def test_another_rollout_of_the_same_play_is_forgotten(plan: Act, judge: Act) -> None:
    variables = fleet("app1")
    judge(variables, plan(variables), batch=0)
    variables["__app_verdict"]["failed_hosts"] = {"notes": {"app1": "of old"}}
    assert judge(variables, plan(variables))["failed_services"] == []
