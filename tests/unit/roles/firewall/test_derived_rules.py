# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows from groups that stand for no port of their own in the scenarios of the firewall."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._settings import unknown_peers
from rendering import PLAY, Role

LOGGED = {
    **PLAY,
    "groups": {**PLAY["groups"], "log_receiver": ["lb1"], "logs": ["app1"]},
    "firewall_ssh_from": ["any"],
    "nginx_sites": [],
}


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({}, {"ports": [6514], "from": ["192.0.2.2"]}),
        (
            {"log_receiver_port": 7000, "log_receiver_senders": ["all"]},
            {"ports": [7000], "from": ["192.0.2.1", "192.0.2.2"]},
        ),
    ],
)
def test_senders_alone_reach_who_takes_in_their_lines(settings: dict[str, t.Any], rule: dict[str, t.Any]) -> None:
    def rules(*groups: str) -> list[dict[str, t.Any]]:
        made = Role("firewall").evaluate("__firewall_resolved", **{**LOGGED, **settings, "group_names": groups})
        return t.cast("list[dict[str, t.Any]]", made["rules"])

    assert rule in rules("nginx", "log_receiver")
    assert rule["ports"] not in [each["ports"] for each in rules("nginx")]


@pytest.mark.parametrize(
    ("group", "derive", "refused"),
    [
        ("app", True, ["firewall_monitors", "firewall_balancers"]),
        ("redis", True, ["firewall_monitors", "firewall_services"]),
        ("sentinel", True, ["firewall_monitors", "firewall_services"]),
        ("postgres", True, ["firewall_monitors"]),
        ("app", False, []),
    ],
)
def test_whom_rules_are_about_is_examined_before_any_host_is_changed(
    group: str, derive: bool, refused: list[str]
) -> None:
    named = {f"firewall_{name}": ["nobody"] for name in ("balancers", "services", "monitors")}
    settings = {**named, "firewall_derive_rules": derive}
    paths = Role("firewall").evaluate("__firewall_peers", **settings, group_names=[group])
    problems = unknown_peers(settings, paths, {"nobody": []}, {"app1"})
    assert [problem.partition("[")[0] for problem in problems] == refused


FLEET: dict[str, t.Any] = {
    **PLAY,
    "groups": {
        "all": ["lb1", "app1", "db1", "db2", "dcs1", "cache1", "watch1"],
        "nginx": ["lb1"],
        "app": ["app1"],
        "patroni": ["db1", "db2"],
        "etcd": ["dcs1"],
        "redis": ["cache1"],
        "sentinel": ["watch1"],
    },
    "hostvars": {
        name: {"ansible_host": f"192.0.2.{number}"}
        for number, name in enumerate(["lb1", "app1", "db1", "db2", "dcs1", "cache1", "watch1"], 1)
    },
    "firewall_ssh_from": ["any"],
    "firewall_balancers": ["nginx"],
    "firewall_services": ["app"],
    "firewall_monitors": [],
    "postgres_databases": [{"name": "notes", "hosts": ["app"]}],
    "postgres_users": [{"name": "reader", "hosts": ["lb1"]}],
}
LB, APP, DB1, DB2, DCS, CACHE, WATCH = (f"192.0.2.{number}" for number in range(1, 8))


def openings(group: str, **settings: t.Any) -> dict[int, set[str]]:
    """Who reaches each port of a host of the group."""
    made = Role("firewall").evaluate("__firewall_resolved", **{**FLEET, "group_names": [group], **settings})
    doors: dict[int, set[str]] = {}
    for rule in made["rules"]:
        for port in rule["ports"]:
            doors.setdefault(int(port), set()).update(rule["from"])
    return {port: who for port, who in doors.items() if who}


@pytest.mark.parametrize(
    ("group", "settings", "doors"),
    [
        ("patroni", {}, {5432: {APP, LB, DB1, DB2}, 8008: {DB1, DB2}}),
        (
            "patroni",
            {"postgres_pgbouncer": True, "postgres_settings": {"port": 5433}},
            {5433: {APP, LB, DB1, DB2}, 6432: {APP, LB, DB1, DB2}, 8008: {DB1, DB2}},
        ),
        ("postgres", {}, {5432: {APP, LB}}),
        ("postgres", {"postgres_pgbouncer": True}, {5432: {APP, LB}, 6432: {APP, LB}}),
        ("etcd", {}, {2379: {DCS, DB1, DB2}, 2380: {DCS}}),
        ("sentinel", {}, {26379: {APP, WATCH}}),
        ("redis", {}, {6379: {APP, WATCH}}),
        ("redis", {"redis_members": ["redis", "db1"], "redis_port": 7000}, {7000: {APP, WATCH, CACHE, DB1}}),
        # Over TLS there is no way in without it, but by request.
        ("redis", {"redis_tls": "files"}, {6380: {APP, WATCH}}),
        ("redis", {"redis_tls": "self_signed", "redis_tls_port": 7001}, {7001: {APP, WATCH}}),
        ("redis", {"redis_tls": "files", "redis_plain": True}, {6379: {APP, WATCH}, 6380: {APP, WATCH}}),
    ],
)
def test_data_is_reached_by_whom_it_is_for_alone(
    group: str, settings: dict[str, t.Any], doors: dict[int, set[str]]
) -> None:
    assert openings(group, **settings) == doors


def test_where_there_is_no_sentinel_and_no_patroni_nobody_stands_for_them() -> None:
    groups = {name: hosts for name, hosts in FLEET["groups"].items() if name not in ("sentinel", "patroni")}
    assert openings("redis", groups=groups) == {6379: {APP}}
    assert openings("etcd", groups=groups) == {2379: {DCS}, 2380: {DCS}}


def test_monitoring_reaches_exporters_and_balancers_reach_services() -> None:
    settings = {"firewall_monitors": ["watch1"], "app_port": 8000, "app_extra_ports": [{"public": 9000}]}
    doors = openings("app", **settings)
    assert doors.pop(8000) == doors.pop(9000) == {LB, WATCH}
    assert set(doors) == set(Role("firewall").variables["firewall_exporter_ports"])
    assert set.union(*doors.values()) == {WATCH}
