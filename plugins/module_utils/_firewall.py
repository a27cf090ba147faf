# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The firewall of a host as an nft script."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import nft_unit

# No service's table has this name: those begin with "evenkeel_".
TABLE = "evenkeel-firewall"
PROTOCOLS = ("tcp", "udp", "vrrp")
VRRP = "meta l4proto 112"

# The script that leaves nothing of the firewall; naming the table first makes deleting it succeed in any case.
NO_FIREWALL = f"table inet {TABLE}\ndelete table inet {TABLE}\n"

UNIT = nft_unit("Firewall of the fleet", "/etc/evenkeel/firewall.nft")

# What a host must hear whoever it is from: without these there is no path MTU, no neighbour and no DHCP lease.
ALWAYS = (
    'iifname "lo" accept',
    "ct state vmap { established : accept, related : accept, invalid : drop }",
    "icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept",
    "icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem, "
    "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept",
    "udp sport 67 udp dport 68 accept",
    "ip6 saddr fe80::/10 udp dport 546 accept",
)
REFUSE = (
    'limit rate 10/minute burst 20 packets log prefix "evenkeel-firewall: "',
    "counter drop",
)

Network: t.TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"


@dataclass(frozen=True)
class Opening:
    """Ports, by the number the client asked for, and the networks they are open to or lead to."""

    ports: tuple[int, ...]
    networks: tuple[Network, ...]
    protocol: str = "tcp"


@dataclass(frozen=True)
class Egress:
    """What the processes of a user may reach."""

    user: str
    uid: int
    openings: tuple[Opening, ...]


def parse_network(value: str) -> Network:
    """The network or the single address that the text stands for."""
    try:
        return ipaddress.ip_network(value)
    except ValueError as exc:
        raise ValueError(f"{value!a} is no address or network, such as 10.20.0.11 or 10.20.0.0/24: {exc}") from None


def opening(ports: t.Iterable[int], networks: t.Iterable[Network], protocol: str = "tcp") -> Opening:
    """An opening as the kernel wants it: each port once, and no network that another one covers."""
    numbers = tuple(sorted(set(ports)))
    for number in numbers:
        if not 1 <= number <= 65535:
            raise ValueError(f"ports holds {number}; it wants numbers from 1 to 65535")
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}; it wants one of {', '.join(PROTOCOLS)}")
    if protocol == "vrrp" and numbers:
        raise ValueError(f"ports is {list(numbers)}; vrrp has no ports")
    every = sorted(set(networks), key=lambda n: (n.version, int(n.network_address), n.prefixlen))
    return Opening(numbers, tuple(n for n in every if not any(_covers(other, n) for other in every)), protocol)


def _covers(outer: Network, inner: Network) -> bool:
    return inner.network_address in outer and inner.prefixlen > outer.prefixlen


def may_enter(openings: t.Iterable[Opening], address: str, port: int) -> bool:
    """Whether a TCP client with this address would be let in at this port."""
    # sshd appends the interface to a link-local address.
    client = ipaddress.ip_address(address.partition("%")[0])
    return any(
        port in door.ports and door.protocol == "tcp" and any(client in network for network in door.networks)
        for door in openings
    )


def ruleset(openings: t.Iterable[Opening], egress: t.Sequence[Egress] = ()) -> str:
    """The nft script that replaces the firewall, in one transaction and without touching other tables."""
    doors = [rule for door in openings for rule in _rules(door, "saddr")]
    chains = [_chain("input", "type filter hook input priority filter; policy drop;", [*ALWAYS, *doors, *REFUSE])]
    for limit in egress:
        paths = [rule for path in limit.openings for rule in _rules(path, "daddr")]
        chains.append(
            _chain(
                _egress_chain(limit.user),
                "",
                [
                    "ct state established,related accept",
                    'oifname "lo" accept',
                    *paths,
                    "counter reject with icmpx admin-prohibited",
                ],
            )
        )
    if egress:
        jumps = [f"meta skuid {limit.uid} jump {_egress_chain(limit.user)}" for limit in egress]
        chains.append(_chain("output", "type filter hook output priority filter; policy accept;", jumps))
    return f"{NO_FIREWALL}table inet {TABLE} {{\n" + "\n".join(chains) + "}\n"


def _egress_chain(user: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user):
        raise ValueError(f"user is {user!a}; it wants a system user name of at most 32 of a-z, 0-9, _ and -")
    return f"egress_{user}"


def _rules(door: Opening, side: str) -> list[str]:
    if not door.networks or not (door.ports or door.protocol == "vrrp"):
        return []
    # By the port that the client asked for: a switch has already sent it on to the port of a slot. One rule for each:
    # nft 1.0 cannot list such ports as a set.
    what = [f"meta l4proto {door.protocol} ct original proto-dst {port}" for port in door.ports]
    rules = []
    for family, version in (("ip", 4), ("ip6", 6)):
        networks = [network for network in door.networks if network.version == version]
        everybody = any(network.prefixlen == 0 for network in networks)
        who = f"meta nfproto ipv{version}" if everybody else f"{family} {side} {_set(map(_short, networks))}"
        rules += [f"{who} {match} accept" for match in what or [VRRP] if networks]
    return rules


def _short(network: Network) -> str:
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _set(values: t.Iterable[t.Any]) -> str:
    return "{ " + ", ".join(map(str, values)) + " }"


def _chain(name: str, head: str, rules: t.Iterable[str]) -> str:
    body = "".join(f"    {line}\n" for line in [head, *rules] if line)
    return f"  chain {name} {{\n{body}  }}\n"
