#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: migration
short_description: Run a command of a staged release once, as its instances would run
version_added: 1.0.0
description:
  - Runs the command in a transient unit made from the release's own, so with the same user, environment, credentials,
    sandbox and limits. Nothing secret appears in a process list or in what systemd shows.
  - The unit goes on if the connection breaks. One that an earlier run left at work is waited for first.
attributes:
  check_mode:
    description: Can run in check mode; then it runs nothing and says that it would.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
options:
  release:
    description: Id of the release that the command is part of.
    type: str
    required: true
  command:
    description:
      - The program, as a path inside the artifact, and its arguments. There is no shell.
      - It may run more than once for the same release, so it must bear that.
    type: list
    elements: str
    required: true
  timeout:
    description: After how many seconds the command is stopped and has failed.
    type: int
    default: 600
extends_documentation_fragment:
  - evenkeel.fleet.service
  - evenkeel.fleet.service.rollout
"""

EXAMPLES = r"""
- name: Migrate the database
  evenkeel.fleet.migration:
    service: notes
    release: 1.1.0-5feceb66ffc8
    command: [notes, migrate]
"""

RETURN = r"""
journal:
  description: The last lines that the command wrote.
  type: list
  elements: str
  returned: when the command ran
seconds:
  description: How long it took.
  type: float
  returned: when the command ran
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _installed, _state, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import ROLLOUT, SERVICE
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._migration import how_it_ended, migration_unit

SPEC: dict[str, t.Any] = {
    **SERVICE,
    **ROLLOUT,
    "release": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    "timeout": {"type": "int", "default": 600},
}

JOURNAL_LINES = 20


def unit_text(layout: Layout, release: str, command: list[str], timeout: int) -> str:
    if not _installed.is_whole(layout, release):
        raise ValueError(f"release {release} is not staged, or not whole, in {layout.release(release)}; stage it first")
    template = _files.read_text(f"{layout.release(release)}/{layout.unit_template}") or ""
    return migration_unit(template, layout, release, command, timeout)


def run(layout: Layout, text: str) -> dict[str, str]:
    """Run the unit to its end. Returns what systemd says of it, with Result=success where all is well."""
    unit = layout.migration_unit
    if _systemd.is_running(_systemd.show(unit)[0]):
        _finish(unit)
    _files.write_file(layout.migration_file, text.encode(), 0o644)
    _systemd.daemon_reload()
    try:
        _finish(unit)
        return _systemd.show(unit)[0]
    finally:
        _systemd.forget_failure(unit)
        os.unlink(layout.migration_file)
        _systemd.daemon_reload()


def _finish(unit: str) -> None:
    """Start a unit that ends by itself, or join one that is at work; how it ended is seen afterwards."""
    try:
        _systemd.start(unit)
    except OSError:
        if _systemd.show(unit)[0].get("ActiveState") != "failed":
            raise


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    params = module.params
    result: dict[str, t.Any] = {"changed": True}
    try:
        layout = Layout.of(params["service"], params["root"])
        if module.check_mode:
            module.exit_json(**result)
        _state.check_write(layout, module)
        text = unit_text(layout, params["release"], params["command"], params["timeout"])
        began = time.monotonic()
        ended = run(layout, text)
        result["seconds"] = round(time.monotonic() - began, 1)
        result["journal"] = _systemd.journal(layout.migration_unit, JOURNAL_LINES, ended.get("InvocationID", ""))
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    if ended["Result"] != "success":
        said = f": {result['journal'][-1].strip()}" if result["journal"] else ""
        cause = how_it_ended(ended, params["timeout"])
        module.fail_json(
            msg=f"migration {' '.join(params['command'])} of {params['release']} failed, {cause}{said}", **result
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
