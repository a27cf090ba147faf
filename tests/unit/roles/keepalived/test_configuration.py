# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What balancers say to each other, and what the firewall lets them say."""

from __future__ import annotations

import typing as t

import pytest
from rendering import PLAY, Role

HOSTVARS = {"lb1": {"ansible_host": "192.0.2.1"}, "lb2": {"ansible_host": "192.0.2.2"}}
PAIR = {
    "groups": {"all": ["lb1", "lb2"], "keepalived": ["lb1", "lb2"]},
    "hostvars": HOSTVARS,
    "keepalived_peers": ["keepalived"],
    "ansible_facts": {"default_ipv4": {"interface": "ens3"}},
}


def configuration(host: str, **settings: t.Any) -> list[str]:
    files = Role("keepalived").evaluate("__keepalived_files", inventory_hostname=host, **{**PAIR, **settings})
    return [line.strip() for line in files["keepalived.conf"].splitlines()]


def block(lines: list[str], name: str) -> list[str]:
    begin = lines.index(f"{name} {{") + 1
    return lines[begin : lines.index("}", begin)]


@pytest.mark.parametrize(
    ("host", "own", "peer", "priority"),
    [("lb1", "192.0.2.1", "192.0.2.2", 200), ("lb2", "192.0.2.2", "192.0.2.1", 199)],
)
def test_each_talks_to_the_other_alone(host: str, own: str, peer: str, priority: int) -> None:
    lines = configuration(host, keepalived_addresses=["192.0.2.10/24"])
    assert f"unicast_src_ip {own}" in lines
    assert block(lines, "unicast_peer") == [peer]
    assert f"priority {priority}" in lines
    assert "interface ens3" in lines


def test_an_interface_that_is_given_needs_no_fact() -> None:
    lines = configuration("lb1", keepalived_addresses=["192.0.2.10/24"], keepalived_interface="eth1", ansible_facts={})
    assert "interface eth1" in lines


@pytest.mark.parametrize(
    ("addresses", "plain", "excluded"),
    [
        (["192.0.2.10/24", "2001:db8::10/64"], ["192.0.2.10/24"], ["2001:db8::10/64"]),
        (["2001:db8::10/64"], ["2001:db8::10/64"], None),
    ],
)
def test_families_are_apart(addresses: list[str], plain: list[str], excluded: list[str] | None) -> None:
    lines = configuration("lb1", keepalived_addresses=addresses)
    assert block(lines, "virtual_ipaddress") == plain
    assert ("virtual_ipaddress_excluded {" in lines) == bool(excluded)
    if excluded:
        assert block(lines, "virtual_ipaddress_excluded") == excluded


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ({}, 8088),
        ({"nginx_status_port": 8089}, 8089),
        ({"nginx_status_port": 8089, "keepalived_status_port": 8090}, 8090),
    ],
)
def test_nginx_is_asked_where_it_answers(settings: dict[str, int], port: int) -> None:
    files = Role("keepalived").evaluate("__keepalived_files", **{**PAIR, "keepalived_addresses": [], **settings})
    assert f"/dev/tcp/127.0.0.1/{port} " in files["serves"]


def test_the_firewall_lets_balancers_hear_each_other() -> None:
    known = {**PLAY, **PAIR, "firewall_ssh_from": ["any"], "nginx_sites": []}
    with_pair = Role("firewall").evaluate("__firewall_resolved", **{**known, "group_names": ["nginx", "keepalived"]})
    assert {"protocol": "vrrp", "from": ["192.0.2.1", "192.0.2.2"]} in with_pair["rules"]
    alone = Role("firewall").evaluate("__firewall_resolved", **{**known, "group_names": ["nginx"]})
    assert [rule for rule in alone["rules"] if rule.get("protocol") == "vrrp"] == []
