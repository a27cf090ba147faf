# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Who is where: addresses of groups and hosts of an inventory."""

from __future__ import annotations

import typing as t


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
