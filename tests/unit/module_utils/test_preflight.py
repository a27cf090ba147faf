# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._preflight import (
    host_notes,
    memory_limit,
    memory_problem,
    more_connections,
    summary,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import NO_BATCH, HostPlan

V1, V2 = "1.0.0-000000000001", "2.0.0-000000000002"
MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "size"),
    [("infinity", 0), ("512M", 512 * MIB), ("1G", 1024 * MIB), ("4096K", 4 * MIB), ("1000", 1000), ("25%", 256 * MIB)],
)
def test_memory_limit(text: str, size: int) -> None:
    assert memory_limit(text, 1024 * MIB) == size


def seen(available: int, **green: t.Any) -> dict[str, t.Any]:
    return {
        "switch": "blue",
        "current": V1,
        "memory": {"total": 1024 * MIB, "available": available * MIB},
        "slots": {
            "blue": {"release": V1, "running": True, "memory": 100 * MIB},
            "green": {"release": "", "running": False, "memory": 0, **green},
        },
    }


UPDATE = HostPlan("notes", V1, V2, "blue", "green", "blue", V1, batch=0)


@pytest.mark.parametrize(
    ("available", "limit", "problem"),
    [
        (256, "256M", ""),
        (255, "256M", "has 255 MiB of memory left, but a second instance may take 256 MiB (app_memory_max)"),
        (100, "infinity", ""),
        (99, "infinity", "has 99 MiB of memory left, but a second instance takes 100 MiB as the one now"),
        (511, "50%", "has 511 MiB of memory left, but a second instance may take 512 MiB (app_memory_max)"),
    ],
)
def test_two_instances_want_memory(available: int, limit: str, problem: str) -> None:
    assert memory_problem(UPDATE, seen(available), limit) == problem


def test_where_no_second_instance_starts_no_memory_is_wanted() -> None:
    assert memory_problem(UPDATE, seen(1, release=V2, running=True), "1G") == "", "it runs already"
    assert memory_problem(HostPlan("notes", V1, V2, "blue", "green", "blue"), seen(1), "1G") == "", "nothing to do"
    in_place = HostPlan("notes", V1, V2, "", "blue", "blue", strategy="in_place", batch=0)
    assert memory_problem(in_place, seen(1), "1G") == ""
    fresh = HostPlan("notes", "", V2, "", "blue", "closed", batch=0)
    nothing = {**seen(1), "slots": {"blue": {"running": False}, "green": {"running": False}}}
    assert memory_problem(fresh, nothing, "1G") == ""


def uses(host: str, connections: int, pooled: bool = False) -> dict[str, t.Any]:
    return {
        "app_database_host": host,
        "app_database_connections": connections,
        "app_database_pooled": pooled,
    }


def test_only_instances_that_are_yet_to_start_open_connections() -> None:
    plans = {"app1": UPDATE, "app2": UPDATE, "app3": replace(UPDATE, batch=NO_BATCH)}
    hosts = {"app1": seen(256, release=V2, running=True), "app2": seen(256), "app3": seen(256)}
    assert more_connections(plans, hosts, dict.fromkeys(plans, uses("db1", 20))) == {"notes": 20}
    in_place = {"app2": replace(UPDATE, strategy="in_place")}
    assert more_connections(in_place, hosts, {"app2": uses("db1", 20)}) == {"notes": 0}


def test_what_all_services_of_a_database_open_is_one_sum() -> None:
    names = ("notes", "users", "pooled", "elsewhere")
    plans = {name: replace(UPDATE, service=name) for name in names}
    settings = [uses("db1", 20), uses("db1", 5), uses("db1", 7, pooled=True), uses("db2", 1)]
    more = more_connections(plans, dict.fromkeys(names, seen(256)), dict(zip(names, settings, strict=True)))
    assert more == {"notes": 25, "users": 25, "pooled": 7, "elsewhere": 1}


@pytest.mark.parametrize(
    ("changes", "ready", "said"),
    [
        ({}, True, ""),
        ({}, None, ""),
        ({}, False, "is not ready now: GET /ready answered 503"),
        ({"switch": "closed"}, False, "serves nobody now: its switch is closed"),
        ({"switch": "closed", "current": ""}, False, ""),
        ({"switch": "absent", "current": ""}, False, ""),
        ({"switch": "green"}, False, "serves nobody now: slot green is down"),
    ],
)
def test_what_is_not_well(changes: dict[str, t.Any], ready: bool | None, said: str) -> None:
    assert host_notes({**seen(100), **changes}, ready, "GET /ready answered 503") == said


def test_summary() -> None:
    settings = {
        "app_ready_path": "/ready",
        "app_ready_json": {"database": True},
        "app_version_path": "/version",
        "app_gate_min_healthy": 10.0,
        # As text, which is what -e gives.
        "app_bake_min_healthy": "2.5",
        "app_migrate_command": ["notes", "migrate"],
    }
    plans = {f"h{number}": HostPlan("notes", V1, V2, "", "green", "blue", batch=min(number, 1)) for number in range(3)}
    plans["h0"] = HostPlan("notes", V1, V2, "", "green", "blue", batch=0, migrates=True)
    plans["other"] = HostPlan("other", V1, V2, "", "green", "blue", batch=2)
    assert summary("notes", plans, settings, ["http /search", "redis 10.0.0.6"]) == (
        'notes: strategy surge; batches of 1, 2; gate wants /ready {"database": true}, the version at /version, '
        "http /search, redis 10.0.0.6 for 10 s, with traffic for 2.5 s; notes migrate on h0 first"
    )
