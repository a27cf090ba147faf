#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_settings
short_description: Set sysctls, and say which the host does not take
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Keeps a file in C(/etc/sysctl.d), which is loaded at boot, and puts its settings in force.
  - A setting that the kernel does not have or does not let itself be given, as in a container, is reported as a warning
    and in RV(not_applied). It is no error.
attributes:
  check_mode:
    description: Can run in check mode and predicts whether anything would change.
    support: full
  diff_mode:
    description: Shows the difference of the file.
    support: full
options:
  file:
    description: Name of the file without C(.conf), such as V(60-evenkeel).
    type: str
    required: true
  settings:
    description: Values by name, such as C(net.core.somaxconn). Without any, the file is removed and values stay.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Let Redis fork
  evenkeel.fleet.kernel_settings:
    file: 60-evenkeel-redis
    settings:
      vm.overcommit_memory: 1
"""

RETURN = r"""
not_applied:
  description: What is not in force and why, by name.
  type: dict
  returned: success
  sample: {kernel.kptr_restrict: "wanted 2, seen 1: Read-only file system"}
"""

import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _sysctl

SPEC: dict[str, t.Any] = {
    "file": {"type": "str", "required": True},
    "settings": {"type": "dict", "required": True},
}


def apply(name: str, value: str, check_mode: bool) -> tuple[bool, str]:
    """Put a setting in force: whether that changed it, and why it is not in force."""
    path = f"/proc/sys/{_sysctl.path(name)}"
    try:
        seen = _sysctl.normal(_files.read_text(path))
    except OSError as exc:
        return False, f"wanted {value}: {exc.strerror}"
    if seen == value:
        return False, ""
    if not os.path.exists(path):
        return False, f"wanted {value}: this kernel has no such setting"
    try:
        # To open it is enough to learn that it cannot be written.
        with open(path, "r+", encoding="ascii") as file:
            if not check_mode:
                file.write(value)
    except OSError as exc:
        return False, f"wanted {value}, seen {seen}: {exc.strerror}"
    return True, ""


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    settings = module.params["settings"]
    path = f"/etc/sysctl.d/{module.params['file']}.conf"
    result: dict[str, t.Any] = {}
    try:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", module.params["file"]):
            raise ValueError(f"file is {module.params['file']!a}; it wants a name of letters, digits, _ and -")
        before = _files.read_text(path)
        after = _sysctl.text(settings) if settings else None
        if before != after and not module.check_mode:
            _files.write_file(path, after.encode(), 0o644) if after else os.unlink(path)
        applied = {name: apply(name, _sysctl.normal(value), module.check_mode) for name, value in settings.items()}
        not_applied = {name: why for name, (_changed, why) in applied.items() if why}
        if not_applied:
            module.warn("Not applied: " + "; ".join(f"{name}: {why}" for name, why in not_applied.items()))
        result = {
            "changed": before != after or any(changed for changed, _why in applied.values()),
            "not_applied": not_applied,
            "diff": {"before": before or "", "after": after or ""},
        }
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
