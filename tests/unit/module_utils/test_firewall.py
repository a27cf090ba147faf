# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import ipaddress
import re

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._firewall import (
    Egress,
    Network,
    Opening,
    may_enter,
    opening,
    parse_network,
    ruleset,
)
from hypothesis import given
from hypothesis import strategies as st


def networks(*values: str) -> list[Network]:
    return [parse_network(value) for value in values]


def accepts(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "proto-dst" in line or "l4proto 112" in line]


def test_the_script_replaces_its_own_table_and_no_other() -> None:
    text = ruleset([opening([22], networks("10.0.0.1"))])
    assert text.startswith("table inet evenkeel-firewall\ndelete table inet evenkeel-firewall\ntable inet")
    assert "flush" not in text
    assert set(re.findall(r"table inet (\S+)", text)) == {"evenkeel-firewall"}


def test_what_is_not_asked_for_is_dropped() -> None:
    text = ruleset([])
    assert "type filter hook input priority filter; policy drop;" in text
    assert accepts(text) == []
    assert "chain output" not in text


def test_a_port_is_the_one_the_client_asked_for() -> None:
    assert accepts(ruleset([opening([8000], networks("10.0.0.1", "10.0.1.0/24", "fd00::1"))])) == [
        "ip saddr { 10.0.0.1, 10.0.1.0/24 } meta l4proto tcp ct original proto-dst 8000 accept",
        "ip6 saddr { fd00::1 } meta l4proto tcp ct original proto-dst 8000 accept",
    ]


def test_everybody_needs_no_set() -> None:
    assert accepts(ruleset([opening([80], networks("0.0.0.0/0", "::/0", "10.0.0.1"))])) == [
        "meta nfproto ipv4 meta l4proto tcp ct original proto-dst 80 accept",
        "meta nfproto ipv6 meta l4proto tcp ct original proto-dst 80 accept",
    ]


def test_a_rule_from_nobody_opens_nothing() -> None:
    assert accepts(ruleset([opening([80], []), opening([], networks("10.0.0.1"))])) == []


def test_vrrp_has_no_ports() -> None:
    assert accepts(ruleset([opening([], networks("10.0.0.1"), "vrrp")])) == [
        "ip saddr { 10.0.0.1 } meta l4proto 112 accept"
    ]
    with pytest.raises(ValueError, match="vrrp has no ports"):
        opening([1], networks("10.0.0.1"), "vrrp")


def test_egress_limits_one_user() -> None:
    text = ruleset([], [Egress("notes", 998, (opening([5432], networks("10.0.0.9")),))])
    assert "    meta skuid 998 jump egress_notes\n" in text
    assert "  chain egress_notes {\n    ct state established,related accept\n" in text
    assert accepts(text) == ["ip daddr { 10.0.0.9 } meta l4proto tcp ct original proto-dst 5432 accept"]
    assert text.index("chain egress_notes") < text.index("jump egress_notes")
    assert "hook output priority filter; policy accept;" in text


def test_a_user_cannot_break_out_of_the_script() -> None:
    with pytest.raises(ValueError, match="user is 'a b"):
        ruleset([], [Egress("a b; flush ruleset", 1, ())])


@pytest.mark.parametrize("value", ["10.0.0.1/8", "10.0.0", "", "any", "10.0.0.1; flush ruleset", "fe80::1%eth0/64"])
def test_what_is_no_network_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is no address or network"):
        parse_network(value)


@pytest.mark.parametrize(
    ("ports", "protocol", "complaint"),
    [([0], "tcp", "ports holds 0"), ([65536], "udp", "ports holds 65536"), ([1], "icmp", "protocol is 'icmp'")],
)
def test_bad_openings_are_refused(ports: list[int], protocol: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        opening(ports, [], protocol)


@pytest.mark.parametrize(
    ("address", "port", "lets_in"),
    [
        ("10.0.0.7", 22, True),
        ("10.0.1.7", 22, False),
        ("10.0.0.7", 2222, False),
        ("fd00::7", 22, True),
        ("fe80::1%eth0", 22, True),
        ("fd01::7", 22, False),
    ],
)
def test_may_enter(address: str, port: int, lets_in: bool) -> None:
    doors = [
        opening([22], networks("10.0.0.0/24", "fd00::/64", "fe80::/10")),
        opening([2222], networks("0.0.0.0/0"), "udp"),
    ]
    assert may_enter(doors, address, port) is lets_in


V4 = st.builds(lambda a, n: ipaddress.IPv4Network((a, n), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32))
V6 = st.builds(
    lambda a, n: ipaddress.IPv6Network((a, n), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)
)
ANY_NETWORKS = st.lists(st.one_of(V4, V6), max_size=8)
ANY_OPENINGS = st.lists(
    st.builds(opening, st.lists(st.integers(1, 65535), max_size=4), ANY_NETWORKS, st.sampled_from(["tcp", "udp"])),
    max_size=4,
)


@given(
    ANY_OPENINGS,
    st.lists(st.builds(Egress, st.just("notes"), st.integers(0, 65535), st.builds(tuple, ANY_OPENINGS)), max_size=1),
)
def test_any_openings_make_a_script(openings: list[Opening], egress: list[Egress]) -> None:
    text = ruleset(openings, egress)
    assert text.count("{") == text.count("}")
    assert set(re.findall(r"table inet (\S+)", text)) == {"evenkeel-firewall"}
    # Members of a set never overlap: the kernel would refuse the whole script.
    for members in re.findall(r"[sd]addr \{ (.*?) \}", text):
        inside = [ipaddress.ip_network(member) for member in members.split(", ")]
        assert not any(a.overlaps(b) for i, a in enumerate(inside) for b in inside[i + 1 :])


@given(st.lists(st.integers(1, 65535), min_size=1, max_size=4), ANY_NETWORKS, st.one_of(V4, V6))
def test_nobody_loses_or_gains_by_leaving_out_what_is_covered(
    ports: list[int], given_: list[Network], who: Network
) -> None:
    door = opening(ports, given_)
    client = who.network_address
    assert may_enter([door], str(client), ports[0]) == any(client in network for network in given_)
