# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import METRICS
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Growth
from ansible_collections.evenkeel.fleet.plugins.module_utils._scrape import sample

ANOTHER = (
    "{prometheus_url} sees another process than the one that answers now; it keeps its connection, unless the service "
    "closes it after each look at its metrics (Connection: close)"
)
# Of a look at the service itself, beside one at a Prometheus.
OF_THE_SERVICE = ("url", "requests", "status_label", "errors", "latency", "ignore", "timeout")


class ActionModule(ActionBase):
    """Has the module ask the service from its host. A Prometheus is asked from the controller, and believed if it sees
    the process that answers on the host."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(METRICS)
        if not arguments["prometheus_url"]:
            result.update(self._execute_module(task_vars=task_vars))
            return result
        try:
            growth = sample(arguments)
        except ValueError as exc:
            result.update(failed=True, msg=str(exc))
            return result
        if growth.last and not growth.problem and arguments["url"]:
            direct = {name: value for name, value in self._task.args.items() if name in OF_THE_SERVICE}
            itself = self._execute_module(module_args=direct, task_vars=task_vars)
            if itself.get("failed"):
                result.update(itself)
                return result
            seen = Growth.read(itself["growth"]).last
            if seen and growth.last.is_of_another(seen):
                growth = Growth.since(arguments["before"], arguments["period"]).miss(ANOTHER.format(**arguments))
        result.update(changed=False, growth=growth.stored())
        return result
