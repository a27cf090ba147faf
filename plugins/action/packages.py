# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

# The status by which policy-rc.d forbids to start a service.
FORBIDDEN = 101


class ActionModule(ActionBase):
    """Runs the module, and has apt install what it misses."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        seen = self._run("evenkeel.fleet.packages", self._task.args, task_vars)
        if seen.get("failed") or not seen["missing"] or self._task.check_mode:
            return seen
        wanted = {"name": seen["missing"], "install_recommends": False, "update_cache": True}
        if not boolean(self._task.args.get("start", True)):
            wanted["policy_rc_d"] = FORBIDDEN
        return {**self._run("ansible.builtin.apt", wanted, task_vars), "missing": seen["missing"]}

    def _run(self, name: str, arguments: dict[str, t.Any], variables: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name=name, module_args=arguments, task_vars=variables)
        return result
