# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: sandboxed
short_description: A systemd service with a sandbox around it
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Adds to the directives of a service what it may not do on its host. A directive that is given itself wins.
options:
  _input:
    description: Directives of the section C([Service]), as P(evenkeel.fleet.to_unit#filter) takes them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show a unit
  ansible.builtin.debug:
    msg: "{{ {'Service': {'ExecStart': '/usr/sbin/thing'} | evenkeel.fleet.sandboxed} | evenkeel.fleet.to_unit }}"
"""

RETURN = r"""
_value:
  description: Directives by name.
  type: dict
"""

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._sandbox import sandboxed


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"sandboxed": sandboxed}
