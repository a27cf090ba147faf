# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: addresses
short_description: The addresses of groups and hosts
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Turns names of groups and hosts into the addresses at which the rest of the fleet reaches them.
  - A host's address is its C(fleet_address), else its C(ansible_host), else its name.
positional: groups, hostvars
options:
  _input:
    description: Names of groups or hosts.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - evenkeel.fleet.inventory
"""

EXAMPLES = r"""
- name: Show where the instances of notes are
  ansible.builtin.debug:
    msg: "{{ ['notes'] | evenkeel.fleet.addresses(groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description: The addresses in inventory order, each once.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import addresses


def _addresses(names: t.Iterable[str], groups: t.Mapping[str, t.Any], hostvars: t.Mapping[str, t.Any]) -> list[str]:
    try:
        return addresses(names, groups, hostvars)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"addresses": _addresses}
