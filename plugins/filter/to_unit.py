# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: to_unit
short_description: A systemd unit from a mapping
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Turns a mapping of sections, each a mapping of directives, into the text of a unit file.
  - A list gives one line for each entry; null gives none; an empty string resets a directive.
  - Values that would not stay on their line are refused.
options:
  _input:
    description: The sections.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show a unit
  ansible.builtin.debug:
    msg: "{{ {'Service': {'User': 'notes', 'NoNewPrivileges': true}} | evenkeel.fleet.to_unit }}"
"""

RETURN = r"""
_value:
  description: Text of the unit file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text


def _to_unit(value: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    try:
        return unit_text(value)
    except ValueError as exc:
        raise AnsibleFilterError(f"to_unit: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"to_unit": _to_unit}
