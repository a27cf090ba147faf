# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: exporters
short_description: The exporters that a host runs
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Which exporters follow from the groups of a host, and where they listen.
options:
  _input:
    description: Names of groups, as in C(group_names).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what runs here
  ansible.builtin.debug:
    msg: "{{ group_names | evenkeel.fleet.exporters }}"
"""

RETURN = r"""
_value:
  description: Ports by exporter.
  type: dict
"""

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._monitoring import exporters_of


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"exporters": exporters_of}
