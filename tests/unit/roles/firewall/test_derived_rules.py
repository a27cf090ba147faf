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
