# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import (
    addresses,
    is_interface,
    is_network,
    peers,
    shared_machines,
)

GROUPS = {"app": ["app1", "app2"], "notes": ["app2"], "empty": []}
HOSTVARS = {
    "app1": {"ansible_host": "192.0.2.1"},
    "app2": {"ansible_host": "192.0.2.2", "fleet_address": "10.0.0.2"},
    "db1": {},
}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["app"], ["192.0.2.1", "10.0.0.2"]),
        (["db1"], ["db1"]),
        (["app2", "app1"], ["10.0.0.2", "192.0.2.1"]),
        (["notes", "app", "app2"], ["10.0.0.2", "192.0.2.1"]),
        (["empty"], []),
        ([], []),
    ],
)
def test_addresses(names: list[str], found: list[str]) -> None:
    assert addresses(names, GROUPS, HOSTVARS) == found


def test_an_empty_fleet_address_is_none() -> None:
    assert addresses(["x"], {}, {"x": {"fleet_address": "", "ansible_host": "192.0.2.9"}}) == ["192.0.2.9"]


def test_a_group_goes_before_a_host_of_the_same_name() -> None:
    assert addresses(["app1"], {"app1": ["db1"]}, HOSTVARS) == ["db1"]


def test_a_name_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="ap1 is neither a group nor a host of the inventory"):
        addresses(["app", "ap1"], GROUPS, HOSTVARS)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["app", "any"], ["192.0.2.1", "10.0.0.2", "any"]),
        (["192.0.2.7", "10.0.0.0/8", "fd00::/64", "db1"], ["192.0.2.7", "10.0.0.0/8", "fd00::/64", "db1"]),
        (["192.0.2.8"], ["10.0.0.8"]),
        ([], []),
    ],
)
def test_peers(names: list[str], found: list[str]) -> None:
    assert peers(names, GROUPS, {**HOSTVARS, "192.0.2.8": {"fleet_address": "10.0.0.8"}}) == found


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("empty", "empty is a group without hosts"), ("10.0.0.0/33", "10.0.0.0/33 is neither a group nor a host")],
)
def test_peers_that_are_nobody_are_refused(name: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        peers(["app", name], GROUPS, HOSTVARS)


@pytest.mark.parametrize(("name", "yes"), [("10.0.0.1", True), ("10.0.0.0/24", True), ("::1", True), ("lb1", False)])
def test_is_network(name: str, yes: bool) -> None:
    assert is_network(name) is yes


@pytest.mark.parametrize("address", ["a; }", "a b", "10.0.0.1\n", "$host", "_", "-a", "a" * 64, "\u0661"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"^app9: fleet_address is .*; it wants an IP address or a host name"):
        addresses(["app9"], {}, {"app9": {"fleet_address": address}})


def test_a_host_whose_name_is_no_address_wants_one() -> None:
    with pytest.raises(ValueError, match=r"^app_9: its name is 'app_9'; .* wants one of them in fleet_address$"):
        addresses(["app_9"], {}, {"app_9": {}})
    assert addresses(["app_9"], {}, {"app_9": {"ansible_host": "app9.test"}}) == ["app9.test"]


@pytest.mark.parametrize(
    ("text", "yes"), [("10.0.0.1/24", True), ("::1/64", True), ("10.0.0.1/33", False), ("a", False)]
)
def test_is_interface(text: str, yes: bool) -> None:
    assert is_interface(text) is yes


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.1"}, "192.0.2.1 port 22"),
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.1", "ansible_port": 22}, "192.0.2.1 port 22"),
        ({"ansible_host": "b"}, {}, "b port 22"),
        ({"ansible_host": "N1", "ansible_port": 2222}, {"ansible_host": "n1", "ansible_port": "2222"}, "n1 port 2222"),
        # Behind one address there may be several, each at a port of its own.
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.1", "ansible_port": 2222}, ""),
        ({"fleet_address": "10.0.0.1"}, {"fleet_address": "10.0.0.1"}, ""),
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.2"}, ""),
    ],
)
def test_a_machine_has_one_name_in_a_group(one: dict[str, t.Any], other: dict[str, t.Any], shared: str) -> None:
    hostvars = {"a": one, "b": other}
    found = shared_machines({"nginx": ["a", "b"], "firewall": ["b", "a"], "app": ["b"]}, hostvars)
    said = f"a and b are names of one machine, {shared}, in nginx, firewall"
    assert [problem.split(";")[0] for problem in found] == ([said] if shared else [])


def test_of_each_host_variables_are_asked_for_once() -> None:
    asked: list[str] = []

    class Slow(dict[str, dict[str, t.Any]]):
        def __getitem__(self, host: str) -> dict[str, t.Any]:
            asked.append(host)
            return {}

    hosts = [f"h{number}" for number in range(100)]
    assert shared_machines({"app": hosts, "firewall": hosts, "logs": hosts}, Slow()) == []
    assert asked == hosts
