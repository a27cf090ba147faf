# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Who is where: addresses of groups and hosts of an inventory."""

from __future__ import annotations

import ipaddress
import re
import typing as t

ANY = "any"

ADDRESS = (
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
    r"|(?=[^:]{0,4}:)[0-9A-Fa-f:.]{2,45}"
)


def addresses(
    names: t.Iterable[str],
    groups: t.Mapping[str, t.Sequence[str]],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """The addresses of the named groups and hosts, in inventory order, each once.

    A host's address is its C(fleet_address), else its C(ansible_host), else its name.
    Raises ValueError for a name that is neither a group nor a host, and for an address that is none.
    """
    found: dict[str, None] = {}
    for name in names:
        if name not in groups and name not in hostvars:
            raise ValueError(f"{name} is neither a group nor a host of the inventory")
        for host in groups.get(name, [name]):
            found[_address(host, hostvars[host])] = None
    return list(found)


def _address(host: str, values: t.Mapping[str, t.Any]) -> str:
    """An address as it may stand in a config file: not every name of a host is one."""
    source = next((name for name in ("fleet_address", "ansible_host") if values.get(name)), "its name")
    address = str(values.get(source, host))
    if not re.fullmatch(ADDRESS, address, re.ASCII):
        raise ValueError(
            f"{host}: {source} is {ascii(address)[:80]}; it wants an IP address or a host name. A host "
            "that is called otherwise wants one of them in fleet_address"
        )
    return address


def shared_machines(
    members: t.Mapping[str, t.Iterable[str]], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[str]:
    """One sentence for each machine that has more than one name in a group of C(members)."""
    machines: dict[str, tuple[str, str]] = {}
    groups: dict[tuple[str, ...], list[str]] = {}
    for group, hosts in members.items():
        names: dict[tuple[str, str], list[str]] = {}
        for host in hosts:
            # A host is in many groups, and to ask for its variables takes a while.
            if host not in machines:
                machines[host] = _machine(host, hostvars[host])
            names.setdefault(machines[host], []).append(host)
        for shared in names.values():
            if len(shared) > 1:
                groups.setdefault(tuple(sorted(shared)), []).append(group)
    return [
        f"{' and '.join(names)} are names of one machine, {' port '.join(machines[names[0]])}, in "
        f"{', '.join(where)}; it wants one name there, for it would be set up once for each"
        for names, where in groups.items()
    ]


def _machine(host: str, values: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """Where Ansible finds a host. Not its address in the fleet, for behind one there may be several."""
    return str(values.get("ansible_host") or host).lower(), str(values.get("ansible_port") or 22)


def is_network(name: str) -> bool:
    """Whether this is an address or a network, and not the name of something."""
    try:
        ipaddress.ip_network(name)
    except ValueError:
        return False
    return True


def is_interface(text: str) -> bool:
    """Whether this is the address of an interface, with or without the length of its network."""
    try:
        ipaddress.ip_interface(text)
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
