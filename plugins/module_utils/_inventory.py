# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Who is where: addresses of groups and hosts of an inventory."""

from __future__ import annotations

import ipaddress
import typing as t

ANY = "any"


def addresses(
    names: t.Iterable[str],
    groups: t.Mapping[str, t.Sequence[str]],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """The addresses of the named groups and hosts, in inventory order, each once.

    A host's address is its C(fleet_address), else its C(ansible_host), else its name.
    Raises ValueError for a name that is neither a group nor a host.
    """
    found: dict[str, None] = {}
    for name in names:
        if name not in groups and name not in hostvars:
            raise ValueError(f"{name} is neither a group nor a host of the inventory")
        for host in groups.get(name, [name]):
            values = hostvars[host]
            found[str(values.get("fleet_address") or values.get("ansible_host") or host)] = None
    return list(found)


def is_network(name: str) -> bool:
    """Whether this is an address or a network, and not the name of something."""
    try:
        ipaddress.ip_network(name)
    except ValueError:
        return False
    return True


def peers(
    names: t.Iterable[str],
    groups: t.Mapping[str, t.Sequence[str]],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """As C(addresses), for names among which networks, addresses and C(any) may be.

    Raises ValueError for a group without hosts too: who means nobody writes an empty list.
    """
    found: dict[str, None] = {}
    for name in names:
        if name == ANY or (name not in hostvars and is_network(name)):
            found[name] = None
        elif name in groups and not groups[name]:
            raise ValueError(f"{name} is a group without hosts")
        else:
            found.update(dict.fromkeys(addresses([name], groups, hostvars)))
    return list(found)
