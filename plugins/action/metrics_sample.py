# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import METRICS
from ansible_collections.evenkeel.fleet.plugins.module_utils._scrape import sample


class ActionModule(ActionBase):
    """Asks a Prometheus from the controller; else the module asks the service from its host."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        if not self._task.args.get("prometheus_url"):
            result.update(self._execute_module(task_vars=task_vars))
            return result
        _validated, arguments = self.validate_argument_spec(METRICS, mutually_exclusive=[("url", "prometheus_url")])
        try:
            result.update(changed=False, growth=sample(arguments).stored())
        except ValueError as exc:
            result.update(failed=True, msg=str(exc))
        return result
