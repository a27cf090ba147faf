# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import NO_BATCH, HostState, plan_fleet


class ActionModule(ActionBase):
    """Plans on the controller from what every host of the play registered; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        result.update(changed=False)
        try:
            plans = plan_fleet(
                {host: self._state(variables["hostvars"][host]) for host in variables["ansible_play_hosts"]}
            )
        except ValueError as exc:
            result.update(failed=True, msg=str(exc))
            return result
        batches: dict[str, int] = {}
        for plan in plans.values():
            batches[plan.service] = max(batches.get(plan.service, 0), plan.batch + 1)
        lines = {host: plan.sentence(batches[plan.service]) for host, plan in plans.items() if plan.batch != NO_BATCH}
        result.update(
            hosts={host: asdict(plan) for host, plan in plans.items()},
            batches=max(batches.values(), default=0),
            needed=bool(lines),
            plan=lines,
        )
        # A plan is made to be read, not only with -v; the callback would show all of the result or nothing.
        for host, line in lines.items():
            self._display.display(f"{host}: {line}")
        return result

    def _state(self, host: t.Mapping[str, t.Any]) -> HostState:
        settings = host["__app_check"]["settings"]
        return HostState(
            service=settings["app_name"],
            wanted=host["__app_release"]["id"],
            batches=settings["app_batches"],
            seen=host["__app_info"],
        )
