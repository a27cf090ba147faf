#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install the Debian packages that a host lacks
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Installs packages that are not there, without those that they merely recommend. Upgrades and removes nothing.
  - Whether they are there it asks dpkg, which knows at once. Only where one is missing it has
    M(ansible.builtin.apt) update the package lists and install it.
  - So it tells in check mode what would be installed on a host whose package lists are still empty.
attributes:
  check_mode:
    description: Can run in check mode; says what it would install.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
options:
  names:
    description: Names of packages; none is fine. A virtual package counts as missing always.
    type: list
    elements: str
    required: true
  start:
    description: Whether the services that the packages bring are started, as Debian does.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Install logrotate
  evenkeel.fleet.packages:
    names: [logrotate]

- name: Install nginx, but do not serve Debian's own site
  evenkeel.fleet.packages:
    names: [nginx]
    start: false
"""

RETURN = r"""
missing:
  description: Which of the packages were not installed.
  type: list
  elements: str
  returned: success
"""

import subprocess
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils._packages import FORMAT, missing

SPEC: dict[str, t.Any] = {
    "names": {"type": "list", "elements": "str", "required": True},
    "start": {"type": "bool", "default": True},
}


def ask_dpkg(names: t.Sequence[str]) -> str:
    # Its exit status says whether it has heard of all of them, which is not the question.
    command = ["dpkg-query", "--show", f"--showformat={FORMAT}", "--", *names]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    names = module.params["names"]
    try:
        lacking = missing(names, ask_dpkg(names) if names else "")
    except FileNotFoundError:
        module.fail_json(msg="there is no dpkg-query on this host; wanted Debian")
    except ValueError as exc:
        module.fail_json(msg=str(exc))
    # The action plugin of the same name has apt install them.
    module.exit_json(changed=bool(lacking), missing=lacking)


if __name__ == "__main__":
    main()
