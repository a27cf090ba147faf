# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_report
short_description: What a drill measured, against what was declared
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Turns what the hosts of a drill said into RTO and RPO, in seconds, and tells whether they meet the targets.
positional: began, ended, production_bytes
options:
  _input:
    description: For each host what C(evenkeel-backup drill) printed.
    type: list
    elements: dict
    required: true
  began:
    description: When the drill began, in seconds since 1970.
    type: float
    required: true
  ended:
    description: When the service answered.
    type: float
    required: true
  production_bytes:
    description:
      - Size of the data in production. What was restored is smaller perhaps; the restores are then taken to last longer
        by that factor. With V(0) nothing is projected.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Show whether the targets were met
  ansible.builtin.debug:
    msg: "{{ [drilled] | evenkeel.fleet.drill_report(1767225600, 1767225660) }}"
  vars:
    drilled:
      rto: 14400
      rpo: 3600
      restored:
        - {set: redis, host: db1, id: x, taken: 1767225000, bytes: 100, counts: {keys: 1}, steps: {load: 1}}
"""

RETURN = r"""
_value:
  description:
    - C(met), C(rto) with C(measured), C(projected) and C(target), C(rpo) with C(measured) and C(target), C(bytes),
      C(production_bytes), and C(restored) with each set, the backup it came from, its size, seconds and count.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._drill import report


def _drill_report(
    drilled: t.Sequence[t.Mapping[str, t.Any]], began: t.Any, ended: t.Any, production_bytes: t.Any = 0
) -> dict[str, t.Any]:
    try:
        return report(drilled, float(began), float(ended), int(production_bytes))
    except ValueError as exc:
        raise AnsibleFilterError(f"drill_report: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"drill_report": _drill_report}
