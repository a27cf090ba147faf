# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import NO_BATCH, HostPlan
from ansible_collections.evenkeel.fleet.plugins.module_utils._verdict import (
    Verdict,
    begin,
    judge,
    open_up,
    outcomes,
    undo_closes,
    undo_starts,
    undo_steps,
    verdict_text,
)


class ActionModule(ActionBase):
    """Judges on the controller from what every host of the play registered; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec(
            {
                "plan": {"type": "dict", "required": True},
                "batch": {"type": "int", "default": NO_BATCH},
                "opens": {"type": "bool", "default": False},
                "settled": {"type": "bool", "default": False},
            }
        )
        plan, batch = arguments["plan"], arguments["batch"]
        plans = {host: HostPlan(**mine) for host, mine in plan["hosts"].items()}
        hosts = {host: variables["hostvars"][host] for host in plans}
        settings = {plans[name].service: host["__app_check"]["settings"] for name, host in hosts.items()}

        before = earlier(variables, plan["rollout"])
        verdict = verdict_so_far(plans, hosts, variables["ansible_play_hosts"], before)
        if arguments["settled"]:
            verdict = replace(verdict, kept=[name for name in settings if name not in before["failed_services"]])
        if batch != NO_BATCH:
            verdict = begin(plans, verdict, batch, overdue(settings, time.time() - plan["began"]))
        if arguments["opens"]:
            verdict = open_up(verdict)
        frozen = [service for service in settings if freezes(settings[service], plan["target"], verdict, service)]
        steps = {host: step for host, step in undo_steps(plans, verdict).items() if plans[host].service not in frozen}
        result.update(
            changed=False,
            rollout=plan["rollout"],
            begun=verdict.begun,
            opened=verdict.opened,
            failed_hosts=verdict.failed,
            failed_services=[service for service, failed in verdict.failed.items() if failed],
            frozen_services=frozen,
            undo={
                host: {
                    "step": step,
                    "close": undo_closes(plans[host], verdict),
                    "start": undo_starts(plans[host], verdict),
                }
                for host, step in steps.items()
            },
            undo_steps=max(steps.values(), default=-1) + 1,
            outcomes=outcomes(plans, verdict, frozen),
            text=verdict_text(plans, verdict, frozen, {name: host["__app_info"] for name, host in hosts.items()}),
        )
        return result


def earlier(variables: t.Mapping[str, t.Any], rollout: str) -> t.Mapping[str, t.Any]:
    """What was judged before in the same rollout."""
    before: t.Mapping[str, t.Any] = variables.get("__app_verdict", {})
    return before if before.get("rollout") == rollout else {}


def verdict_so_far(
    plans: t.Mapping[str, HostPlan],
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    reachable: t.Collection[str],
    before: t.Mapping[str, t.Any],
) -> Verdict:
    failures = {name: host["__app_failure"]["msg"] for name, host in hosts.items() if "__app_failure" in host}
    failed = judge(plans, failures, reachable, before.get("failed_hosts"))
    lost = [name for mine in failed.values() for name in mine if name not in reachable]
    stuck = [name for name, host in hosts.items() if "__app_undo_failure" in host and name not in lost]
    for name in stuck:
        said = hosts[name]["__app_undo_failure"]["msg"]
        failed[plans[name].service].setdefault(name, f"could not be brought back: {said}")
    return Verdict(failed, before.get("begun", {}), before.get("opened", {}), [*lost, *stuck])


def overdue(settings: t.Mapping[str, t.Mapping[str, t.Any]], seconds: float) -> dict[str, str]:
    """The services that should have been through by now."""
    return {
        service: f"{seconds:.0f} s have passed since the rollout began, wanted at most {wanted} (app_progress_timeout)"
        for service, mine in settings.items()
        if seconds > (wanted := float(mine["app_progress_timeout"]))
    }


def freezes(settings: t.Mapping[str, t.Any], target: str, verdict: Verdict, service: str) -> bool:
    """Whether a service's hosts stay as they are. Before its first batch began there is nothing to freeze."""
    if service in verdict.kept:
        return False
    wanted = settings["app_on_failure"] == "freeze" or (settings["app_irreversible"] and target == "staged")
    return bool(wanted) and verdict.has_failed(service) and service in verdict.begun
