# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_tuning
short_description: Settings of Postgres that follow from its memory
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Turns the bytes that a server may take into C(shared_buffers), C(effective_cache_size), C(work_mem) and
    C(maintenance_work_mem).
positional: connections
options:
  _input:
    description: Bytes of memory, at least 128 MiB.
    type: int
    required: true
  connections:
    description: The setting C(max_connections).
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show what a server with 4 GiB would get
  ansible.builtin.debug:
    msg: "{{ ('4G' | human_to_bytes) | evenkeel.fleet.postgres_tuning(200) }}"
"""

RETURN = r"""
_value:
  description: Settings by name.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_tuning import tuning


def _postgres_tuning(memory: int, connections: int) -> dict[str, str]:
    try:
        return tuning(memory, connections)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"postgres_tuning": _postgres_tuning}
