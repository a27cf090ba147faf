# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._status import status_lines


class ActionModule(ActionBase):
    """Prints from the controller what every host of the play registered; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        self.validate_argument_spec({})
        found = {host: variables["hostvars"][host].get("__app_info") for host in variables["ansible_play_hosts_all"]}
        lines = status_lines({host: info if info and "slots" in info else None for host, info in found.items()})
        # A callback plugin would fold or quote a table.
        for line in lines:
            self._display.display(line)
        result.update(changed=False, lines=lines)
        return result
