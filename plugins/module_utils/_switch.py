# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The rules of a switch as text, and its position as read back from the kernel."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import CLOSED, SLOTS
from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import nft_unit

POSITIONS = (*SLOTS, CLOSED)
ABSENT = "absent"

# One template serves every service: the instance name is the service's name.
UNIT = nft_unit("Traffic switch of %i", "/etc/evenkeel/switch/%i.nft")


@dataclass(frozen=True)
class Ports:
    """A port of the service: where users reach it, and where the instance in each slot listens."""

    public: int
    blue: int
    green: int

    def of(self, slot: str) -> int:
        return self.blue if slot == "blue" else self.green


def check_ports(ports: t.Sequence[Ports]) -> None:
    """Refuse ports that are out of range or used twice."""
    if not ports:
        raise ValueError("ports is empty; a switch wants at least one port")
    numbers = [number for port in ports for number in (port.public, port.blue, port.green)]
    for number in numbers:
        if not 1 <= number <= 65535:
            raise ValueError(f"ports holds {number}; it wants numbers from 1 to 65535")
        if numbers.count(number) > 1:
            raise ValueError(f"ports holds {number} twice; the public port and those of both slots must differ")


def ruleset(table: str, ports: t.Sequence[Ports], position: str) -> str:
    """The nft script that puts the switch in a position, in one transaction and without touching other tables."""
    check_ports(ports)
    if position == CLOSED:
        # Refused at once and before any byte was sent, so that a balancer tries the next host, POST included.
        doors = [f"tcp dport {port.public} ct state new reject with tcp reset" for port in ports]
        chains = [_chain("input", "filter", "input", "filter - 1", [*doors, *_guards(ports)])]
    else:
        moves = [f"tcp dport {port.public} fib daddr type local redirect to :{port.of(position)}" for port in ports]
        chains = [
            _chain("prerouting", "nat", "prerouting", "dstnat", moves),
            # A balancer on the same host does not pass prerouting.
            _chain("output", "nat", "output", "-100", moves),
            _chain("input", "filter", "input", "filter - 1", _guards(ports)),
        ]
    # Naming the table before deleting it makes the deletion succeed whether or not it was there.
    return f"table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n" + "\n".join(chains) + "}\n"


def _guards(ports: t.Sequence[Ports]) -> list[str]:
    """Nobody but this host reaches a slot directly: what is tried out there is nobody's business yet."""
    return [
        f'iifname != "lo" tcp dport {{ {port.blue}, {port.green} }} ct original proto-dst != {port.public} '
        "reject with tcp reset"
        for port in ports
    ]


def _chain(name: str, kind: str, hook: str, priority: str, rules: t.Iterable[str]) -> str:
    body = "".join(f"    {rule}\n" for rule in rules)
    return f"  chain {name} {{\n    type {kind} hook {hook} priority {priority}; policy accept;\n{body}  }}\n"


def position_of(listing: t.Mapping[str, t.Any] | None, ports: t.Sequence[Ports]) -> str:
    """The position that the output of ``nft --json list table`` stands for.

    Anything but exactly our own rules is V(absent): a half-written or edited switch is put in place again.
    """
    if listing is None:
        return ABSENT
    rules = [item["rule"] for item in listing.get("nftables", []) if "rule" in item]
    seen = [(rule["chain"], rule["expr"]) for rule in rules]
    return next((position for position in POSITIONS if seen == _rules_in_kernel(ports, position)), ABSENT)


def _rules_in_kernel(ports: t.Sequence[Ports], position: str) -> list[tuple[str, t.Any]]:
    """The rules of ``ruleset`` by chain, as the kernel gives them back."""
    to_port = {port: _match("==", _DPORT, port.public) for port in ports}
    refuse = {"reject": {"type": "tcp reset"}}
    if position == CLOSED:
        rules = [("input", [to_port[port], _match("in", {"ct": {"key": "state"}}, "new"), refuse]) for port in ports]
    else:
        local = _match("==", {"fib": {"result": "type", "flags": ["daddr"]}}, "local")
        rules = [
            (chain, [to_port[port], local, {"redirect": {"port": port.of(position)}}])
            for chain in ("prerouting", "output")
            for port in ports
        ]
    return rules + [
        (
            "input",
            [
                _match("!=", {"meta": {"key": "iifname"}}, "lo"),
                _match("==", _DPORT, {"set": sorted((port.blue, port.green))}),
                _match("!=", {"ct": {"key": "proto-dst", "dir": "original"}}, port.public),
                refuse,
            ],
        )
        for port in ports
    ]


_DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}


def _match(op: str, left: t.Mapping[str, t.Any], right: t.Any) -> dict[str, t.Any]:
    return {"match": {"op": op, "left": left, "right": right}}
