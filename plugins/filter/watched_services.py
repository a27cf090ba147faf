# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: watched_services
short_description: How services count their requests
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - The services of groups and hosts, and selectors of PromQL for their requests, errors and latencies. What the fleet
    itself asks, C(app_metrics_ignore), is left out where a label has the path.
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
- name: Show the services
  ansible.builtin.debug:
    msg: "{{ ['app'] | evenkeel.fleet.watched_services(groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description:
    - For each service its C(name), and selectors C(requests), C(errors) and C(latency). The last is empty if the
      service has no such histogram.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._monitoring import Groups, Hostvars, watched_services


def _watched_services(names: t.Iterable[str], groups: Groups, hostvars: Hostvars) -> list[dict[str, str]]:
    try:
        return watched_services(names, groups, hostvars)
    except (ValueError, KeyError) as exc:
        raise AnsibleFilterError(f"watched_services: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"watched_services": _watched_services}
