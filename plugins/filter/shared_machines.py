# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: shared_machines
short_description: Machines that have several names in a group
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Finds hosts of one group that are names of the same machine, with the same C(ansible_host), which else is the name
    itself, and the same C(ansible_port), which else is 22. A role would set it up twice, and each time otherwise.
positional: hostvars
options:
  _input:
    description: The names of the hosts of each group, by the name of the group.
    type: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: See that every balancer is a machine of its own
  ansible.builtin.assert:
    that: "{'nginx': groups.nginx} | evenkeel.fleet.shared_machines(hostvars) == []"
"""

RETURN = r"""
_value:
  description: One sentence for each machine that has several names in a group, with the names and the groups.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import shared_machines


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"shared_machines": shared_machines}
