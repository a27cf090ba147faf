# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_status
short_description: What runs where, as a table for people
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Turns what M(evenkeel.fleet.rollout_info) returned on each host into the lines of a table, followed by the last
    rollouts.
positional: hostvars
options:
  _input:
    description: Names of the hosts. One that registered nothing is shown as unreachable.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars), in which each host registered C(__app_info).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what runs where
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | evenkeel.fleet.rollout_status(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._status import status_lines


def _rollout_status(hosts: t.Iterable[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    seen = {host: hostvars[host].get("__app_info") for host in hosts}
    return status_lines({host: info if info and "slots" in info else None for host, info in seen.items()})


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollout_status": _rollout_status}
