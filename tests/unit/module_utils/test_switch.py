# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import (
    POSITIONS,
    Ports,
    check_ports,
    position_of,
    ruleset,
)
from hypothesis import given
from hypothesis import strategies as st

# Rulesets of ours that were loaded on Debian 12 and 13, as "nft --json list table" gave them back.
FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = ["1.0.6", "1.1.3"]

SERVICES = {
    "notes": [Ports(8000, 8001, 8002)],
    "my-svc_2": [Ports(8000, 8001, 8002), Ports(9100, 9101, 9102), Ports(1, 2, 65535)],
}
LISTINGS = [(version, name, position) for version in VERSIONS for name in SERVICES for position in POSITIONS]


def listing(version: str, name: str, position: str) -> dict[str, t.Any]:
    text = (FIXTURES / f"nft-{version}-{name}-{position}.json").read_text()
    return t.cast("dict[str, t.Any]", json.loads(text))


def rules(said: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [item["rule"] for item in said["nftables"] if "rule" in item]


def test_open_switch() -> None:
    assert ruleset("evenkeel_notes", SERVICES["notes"], "green") == (
        "table inet evenkeel_notes\n"
        "delete table inet evenkeel_notes\n"
        "table inet evenkeel_notes {\n"
        "  chain prerouting {\n"
        "    type nat hook prerouting priority dstnat; policy accept;\n"
        "    tcp dport 8000 fib daddr type local redirect to :8002\n"
        "  }\n"
        "\n"
        "  chain output {\n"
        "    type nat hook output priority -100; policy accept;\n"
        "    tcp dport 8000 fib daddr type local redirect to :8002\n"
        "  }\n"
        "\n"
        "  chain input {\n"
        "    type filter hook input priority filter - 1; policy accept;\n"
        '    iifname != "lo" tcp dport { 8001, 8002 } ct original proto-dst != 8000 reject with tcp reset\n'
        "  }\n"
        "}\n"
    )


def test_closed_switch() -> None:
    assert ruleset("evenkeel_notes", SERVICES["notes"], "closed") == (
        "table inet evenkeel_notes\n"
        "delete table inet evenkeel_notes\n"
        "table inet evenkeel_notes {\n"
        "  chain input {\n"
        "    type filter hook input priority filter - 1; policy accept;\n"
        "    tcp dport 8000 ct state new reject with tcp reset\n"
        '    iifname != "lo" tcp dport { 8001, 8002 } ct original proto-dst != 8000 reject with tcp reset\n'
        "  }\n"
        "}\n"
    )


def test_every_port_moves() -> None:
    text = ruleset("t", SERVICES["my-svc_2"], "blue")
    for public, slot in [(8000, 8001), (9100, 9101), (1, 2)]:
        assert text.count(f"tcp dport {public} fib daddr type local redirect to :{slot}\n") == 2
        assert text.count(f"ct original proto-dst != {public} reject") == 1


@pytest.mark.parametrize(("version", "name", "position"), LISTINGS)
def test_the_kernel_gives_the_position_back(version: str, name: str, position: str) -> None:
    assert position_of(listing(version, name, position), SERVICES[name]) == position


@pytest.mark.parametrize(("version", "name", "position"), LISTINGS)
def test_a_switch_that_lacks_a_rule_is_absent(version: str, name: str, position: str) -> None:
    for index in range(len(rules(listing(version, name, position)))):
        said = listing(version, name, position)
        said["nftables"].remove({"rule": rules(said)[index]})
        assert position_of(said, SERVICES[name]) == "absent"


@pytest.mark.parametrize("position", POSITIONS)
def test_a_switch_with_another_rule_is_absent(position: str) -> None:
    said = listing("1.1.3", "notes", position)
    another = copy.deepcopy(rules(said)[-1])
    another["expr"] = [{"drop": None}]
    said["nftables"].append({"rule": another})
    assert position_of(said, SERVICES["notes"]) == "absent"


def leaves(node: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if children is None:
        yield path
        return
    for key, child in children:
        yield from leaves(child, (*path, key))


@pytest.mark.parametrize(("version", "name", "position"), LISTINGS)
def test_a_switch_with_an_edited_rule_is_absent(version: str, name: str, position: str) -> None:
    """Whatever is changed in whichever rule, we do not take it for ours."""
    for index, rule in enumerate(rules(listing(version, name, position))):
        for *path, last in leaves(rule["expr"]):
            said = listing(version, name, position)
            node: t.Any = rules(said)[index]["expr"]
            for step in path:
                node = node[step]
            node[last] = 4242
            assert position_of(said, SERVICES[name]) == "absent", (rule, path, last)


def test_a_switch_of_other_ports_is_absent() -> None:
    said = listing("1.1.3", "notes", "blue")
    for ports in (Ports(8000, 8003, 8002), Ports(8080, 8001, 8002), Ports(8000, 8001, 8003)):
        assert position_of(said, [ports]) == "absent"
    assert position_of(said, [Ports(8000, 8002, 8001)]) == "green"
    assert position_of(said, [*SERVICES["notes"], Ports(9100, 9101, 9102)]) == "absent"


@pytest.mark.parametrize(
    "said", [None, {}, {"nftables": []}, {"nftables": [{"metainfo": {}}, {"table": {"name": "t"}}]}]
)
def test_no_switch_is_absent(said: dict[str, t.Any] | None) -> None:
    assert position_of(said, SERVICES["notes"]) == "absent"


@pytest.mark.parametrize(
    ("ports", "complaint"),
    [
        ([], "ports is empty"),
        ([Ports(0, 8001, 8002)], "ports holds 0; it wants numbers from 1 to 65535"),
        ([Ports(8000, 8001, 65536)], "ports holds 65536"),
        ([Ports(8000, -1, 8002)], "ports holds -1"),
        ([Ports(8000, 8000, 8001)], "ports holds 8000 twice"),
        ([Ports(8000, 8001, 8001)], "ports holds 8001 twice"),
        ([Ports(8000, 8001, 8002), Ports(8001, 8003, 8004)], "ports holds 8001 twice"),
        ([Ports(8000, 8001, 8002), Ports(8000, 8003, 8004)], "ports holds 8000 twice"),
    ],
)
def test_bad_ports_are_refused(ports: list[Ports], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_ports(ports)
    with pytest.raises(ValueError, match=complaint):
        ruleset("t", ports, "blue")


NUMBERS = st.lists(st.integers(1, 65535), min_size=3, max_size=9, unique=True)


@given(NUMBERS, st.sampled_from(POSITIONS))
def test_any_ports_that_differ_make_a_switch(numbers: list[int], position: str) -> None:
    ports = [Ports(*numbers[i : i + 3]) for i in range(0, len(numbers) - len(numbers) % 3, 3)]
    text = ruleset("evenkeel_x", ports, position)
    assert text.count("{") == text.count("}")
    for port in ports:
        redirected = position != "closed"
        assert (f"dport {port.public} fib" in text) == redirected
        assert (f"dport {port.public} ct state new reject" in text) != redirected
        assert f"dport {{ {port.blue}, {port.green} }}" in text
