# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: with_addresses
short_description: Rules with addresses in the place of groups and hosts
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Wherever C(from) or C(to) holds a list, however deep, the names of groups and hosts in it become the addresses at
    which the rest of the fleet reaches them. Addresses, networks and V(any) stay as they are.
  - A group without hosts is refused.
positional: groups, hostvars
options:
  _input:
    description: Mappings and lists.
    type: raw
    required: true
extends_documentation_fragment:
  - evenkeel.fleet.inventory
"""

EXAMPLES = r"""
- name: Show who may reach port 8000
  ansible.builtin.debug:
    msg: "{{ [{'ports': [8000], 'from': ['nginx']}] | evenkeel.fleet.with_addresses(groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description: The same with addresses, networks and V(any) in the place of names.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import peers

KEYS = ("from", "to")


def _with_addresses(rules: t.Any, groups: t.Mapping[str, t.Any], hostvars: t.Mapping[str, t.Any]) -> t.Any:
    if isinstance(rules, dict):
        return {
            key: _peers(value, groups, hostvars) if key in KEYS else _with_addresses(value, groups, hostvars)
            for key, value in rules.items()
        }
    if isinstance(rules, list):
        return [_with_addresses(rule, groups, hostvars) for rule in rules]
    return rules


def _peers(names: t.Iterable[str], groups: t.Mapping[str, t.Any], hostvars: t.Mapping[str, t.Any]) -> list[str]:
    try:
        return peers(names, groups, hostvars)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"with_addresses": _with_addresses}
