# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: rotated_secrets
short_description: Secrets as a service gets them while some of them rotate
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - A part of the role P(evenkeel.fleet.app#role). Adds the second value of each secret that has one, or takes it first,
    so that all instances accept a new value before one of them uses it.
options:
  _input:
    description: Secrets by name, as the role has them in C(app_secrets) or C(app_credentials).
    type: dict
    required: true
  previous:
    description: The values before, as the role has them in C(app_previous_secrets).
    type: list
    elements: dict
    required: true
  step:
    description:
      - In the step V(admit) the old value is used and the new one accepted, in V(use) the new one is used and the old
        one accepted, and after V(revoke) there is the new one alone.
    type: str
    choices: [admit, use, revoke]
    required: true
  seen:
    description:
      - What M(evenkeel.fleet.secrets_in_use) said on each host of the service. A secret that has got further already
        stays where it is.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show what an instance gets, which is JWT_SECRET new, and JWT_SECRET_PREVIOUS old
  ansible.builtin.debug:
    msg: "{{ {'JWT_SECRET': 'new'} | evenkeel.fleet.rotated_secrets([previous], 'use') }}"
  vars:
    previous: {name: JWT_SECRET, value: old, variable: JWT_SECRET_PREVIOUS}
"""

RETURN = r"""
_value:
  description: Secrets by name.
  type: dict
"""

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._rotation import Previous, Seen, in_step


def _rotated_secrets(
    secrets: t.Mapping[str, t.Any],
    previous: t.Iterable[t.Mapping[str, t.Any]],
    step: str,
    seen: t.Iterable[t.Mapping[str, t.Any]] = (),
) -> dict[str, t.Any]:
    hosts = [Seen(host["in_use"], host["missing"]) for host in seen]
    return in_step(secrets, [Previous(**one) for one in previous], step, hosts)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rotated_secrets": _rotated_secrets}
