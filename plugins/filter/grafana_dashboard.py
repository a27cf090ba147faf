# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: grafana_dashboard
short_description: A dashboard that Grafana imports
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Lays panels out in rows, and lets the reader choose a Prometheus, services and hosts.
positional: title
options:
  _input:
    description:
      - Lists of panels by the name of their row. A panel has a C(title), a C(unit) of Grafana's and C(queries), each of
        these an C(expr) in which C($service) and C($host) stand for what was chosen, and C(labels) for its legend.
    type: dict
    required: true
  title:
    description: What the dashboard is called.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a dashboard
  ansible.builtin.debug:
    msg: "{{ {'Hosts': [{'title': 'Load', 'unit': 'none', 'queries': [{'expr': 'node_load1', 'labels': ['host']}]}]}
      | evenkeel.fleet.grafana_dashboard('Fleet') }}"
"""

RETURN = r"""
_value:
  description: The dashboard, to be written as JSON.
  type: dict
"""

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._dashboard import Panel, dashboard


def _grafana_dashboard(rows: t.Mapping[str, t.Sequence[Panel]], title: str) -> dict[str, t.Any]:
    return dashboard(title, rows)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"grafana_dashboard": _grafana_dashboard}
