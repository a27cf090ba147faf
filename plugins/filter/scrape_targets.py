# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: scrape_targets
short_description: What a Prometheus asks
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - The exporters of hosts, as P(evenkeel.fleet.exporters#filter) says them, the services that show metrics, where
    the settings of the role P(evenkeel.fleet.app#role) say that they do, and the sites of balancers, as URLs for the
    blackbox exporter.
positional: services, sites, groups, hostvars
options:
  _input:
    description: Names of groups or hosts whose exporters are asked.
    type: list
    elements: str
    required: true
  services:
    description: Names of groups or hosts whose services are asked.
    type: list
    elements: str
    required: true
  sites:
    description: Names of groups or hosts whose C(nginx_sites) are asked.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - evenkeel.fleet.inventory
"""

EXAMPLES = r"""
- name: Show who is asked
  ansible.builtin.debug:
    msg: "{{ ['all'] | evenkeel.fleet.scrape_targets(['app'], ['nginx'], groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description: By job, the entries of Prometheus' C(static_configs).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._monitoring import Groups, Hostvars, scrape_targets


def _scrape_targets(
    names: t.Iterable[str], services: t.Iterable[str], sites: t.Iterable[str], groups: Groups, hostvars: Hostvars
) -> dict[str, t.Any]:
    try:
        return scrape_targets(names, services, sites, groups, hostvars)
    except (ValueError, KeyError) as exc:
        raise AnsibleFilterError(f"scrape_targets: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"scrape_targets": _scrape_targets}
