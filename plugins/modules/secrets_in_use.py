#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets_in_use
short_description: Say which of these secrets the current release has
version_added: 1.0.0
description:
  - Compares secrets with those of the release that the host settled on, and says names, never values.
options:
  secrets:
    description: Secrets that the release would have as environment variables.
    type: dict
    default: {}
  credentials:
    description: Secrets that it would have as files.
    type: dict
    default: {}
extends_documentation_fragment:
  - evenkeel.fleet.service
  - evenkeel.fleet.attributes.read_only
"""

EXAMPLES = r"""
- name: See whether the new key is in use
  evenkeel.fleet.secrets_in_use:
    service: notes
    secrets: {JWT_SECRET: "{{ vault_notes_jwt_secret }}"}
  register: seen
"""

RETURN = r"""
in_use:
  description: Names of the secrets that the current release has with these values.
  type: list
  elements: str
  returned: success
missing:
  description: Names of the others; none, if the host has no current release or is retired.
  type: list
  elements: str
  returned: success
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import SERVICE
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS, Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import credential_files, has_variable

SPEC: dict[str, t.Any] = {
    **SERVICE,
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "credentials": {"type": "dict", "default": {}, "no_log": True},
}


def compare(layout: Layout, params: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    # Secrets are the same in both slots.
    release = f"{layout.current}/{SLOTS[0]}"
    environment = _files.read_text(f"{release}/environment")
    if environment is None or os.path.exists(layout.retired):
        return {"in_use": [], "missing": []}
    same = {name: has_variable(environment, name, value) for name, value in params["secrets"].items()}
    for name, content in credential_files(params["credentials"]).items():
        same[name] = _files.read_text(f"{release}/credentials/{name}") == content.decode()
    return {
        "in_use": sorted(name for name, found in same.items() if found),
        "missing": sorted(name for name, found in same.items() if not found),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {}
    try:
        result = compare(Layout.of(module.params["service"], module.params["root"]), module.params)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
