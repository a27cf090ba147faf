# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import HostPlan, judge, verdict_text


class ActionModule(ActionBase):
    """Judges on the controller from what every host of the play registered; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec({"plan": {"type": "dict", "required": True}})
        plans = {host: HostPlan(**plan) for host, plan in arguments["plan"]["hosts"].items()}
        hostvars = variables["hostvars"]
        failures = {host: hostvars[host]["__app_failure"]["msg"] for host in plans if "__app_failure" in hostvars[host]}
        verdict = judge(plans, failures, variables["ansible_play_hosts"])
        result.update(
            changed=False,
            failed_hosts=verdict,
            failed_services=[service for service, hosts in verdict.items() if hosts],
            text=verdict_text(plans, verdict),
        )
        return result
