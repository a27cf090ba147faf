# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._controller import absent_hosts, owner, rollout_id
from ansible_collections.evenkeel.fleet.plugins.module_utils._lease import lease_seconds, migration_seconds
from ansible_collections.evenkeel.fleet.plugins.module_utils._preflight import (
    check_public_ports,
    host_notes,
    memory_problem,
    memory_refusal,
    more_connections,
    summary,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import NO_BATCH, HostPlan, HostState, plan_fleet
from ansible_collections.evenkeel.fleet.plugins.module_utils._target import wanted_releases
from ansible_collections.evenkeel.fleet.plugins.module_utils._transcript import host_list


class ActionModule(ActionBase):
    """Plans on the controller from what every host of the play registered; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        result.update(changed=False)
        _validated, arguments = self.validate_argument_spec(
            {
                "rollout": {"type": "str", "default": ""},
                "target": {"type": "str", "choices": ["staged", "previous", "current"], "default": "staged"},
                "release": {"type": "str", "default": ""},
            }
        )
        hosts = {host: variables["hostvars"][host] for host in variables["ansible_play_hosts"]}
        checks = {name: host["__app_check"] for name, host in hosts.items()}
        try:
            refuse_lost(variables)
            seen = {name: seen_of(host, arguments["rollout"]) for name, host in hosts.items()}
            known = states(hosts, seen, arguments["target"], arguments["release"])
            plans = plan_fleet(known, absent_hosts(variables, hosts))
            check_public_ports(plans, known)
            if arguments["target"] != "previous":
                check_memory(plans, hosts, known)
        except ValueError as exc:
            result.update(failed=True, msg=str(exc))
            return result
        services = [checks[name]["settings"] for name in dict.fromkeys(plan.arbiter for plan in plans.values())]
        batches: dict[str, int] = {}
        for plan in plans.values():
            batches[plan.service] = max(batches.get(plan.service, 0), plan.batch + 1)
        # What a killed run left may be all in place but its lease, which a second run takes over and releases.
        held = not arguments["rollout"] and any(host["__app_info"]["lease"] for host in hosts.values())
        lines = {host: plan.sentence(batches[plan.service]) for host, plan in plans.items() if plan.batch != NO_BATCH}
        result.update(
            hosts={host: asdict(plan) for host, plan in plans.items()},
            connections=more_connections(plans, seen, {name: check["settings"] for name, check in checks.items()}),
            batches=max(batches.values(), default=0),
            needed=bool(lines or held),
            lease_ttl=lease_seconds(services),
            first_lease_ttl=lease_seconds(services) + migration_seconds(services),
            leased=bool(arguments["rollout"]),
            plan=lines,
            notes={name: said for name, host in hosts.items() if lines and (said := note_of(host, known[name]))},
            summary=[
                summary(plans[first].service, plans, checks[first]["settings"], checks[first]["probes"])
                for first in dict.fromkeys(plans[name].arbiter for name in lines)
            ],
            target=arguments["target"],
            began=time.time(),
            # A second plan, made under the lease, is of the same rollout.
            rollout=arguments["rollout"] or rollout_id(),
            owner=owner(variables),
        )
        if arguments["rollout"]:
            # The plan that counts is there to be read, not only with -v; a callback shows all of a result or nothing.
            for line in result["summary"]:
                self._display.display(line)
            retired = {name: "retired, and left alone" for name in hosts if seen[name].get("retired")}
            alike: dict[str, list[str]] = {}
            for host, line in [*lines.items(), *(result["notes"] | retired).items()]:
                alike.setdefault(line, []).append(host)
            for line, names in alike.items():
                self._display.display(f"{host_list(names)}: {line}")
        return result


def refuse_lost(variables: t.Mapping[str, t.Any]) -> None:
    """Ansible goes on without hosts that an earlier play of the run lost; a rollout does so only when it is told to."""
    lost = [name for name in variables["ansible_play_hosts_all"] if name not in variables["ansible_play_hosts"]]
    if lost:
        raise ValueError(
            f"{host_list(lost)} failed or could not be reached earlier in this run; the rollout would go on without. "
            f"See why; to leave out what is gone: --limit '{':'.join(['all', *(f'!{name}' for name in lost)])}'"
        )


def states(
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    seen: t.Mapping[str, t.Mapping[str, t.Any]],
    target: str,
    release: str,
) -> dict[str, HostState]:
    """What the planner needs of each host. Which release is wanted is decided service by service."""
    settings = {name: host["__app_check"]["settings"] for name, host in hosts.items()}
    staged = {name: host["__app_release"].get("id", "") if target == "staged" else "" for name, host in hosts.items()}
    wanted: dict[str, str] = {}
    for service in dict.fromkeys(setting["app_name"] for setting in settings.values()):
        # A retired host has no say, for nothing is started there.
        mine = [name for name in hosts if settings[name]["app_name"] == service and not seen[name].get("retired")]
        if target == "previous" and not release and any(settings[name]["app_irreversible"] for name in mine):
            raise ValueError(
                f"{service} has app_irreversible: what it ran before cannot bear the data as they are now. "
                "To go back all the same, name a release with app_rollback_to"
            )
        wanted |= wanted_releases(
            target, release, {name: staged[name] for name in mine}, {name: seen[name] for name in mine}
        )
    return {
        name: HostState(
            service=settings[name]["app_name"],
            wanted=wanted.get(name, ""),
            batches=settings[name]["app_batches"],
            seen=seen[name],
            restart=target == "current",
            strategy=settings[name]["app_strategy"],
            min_available=settings[name]["app_min_available"],
            ready=hosts[name]["__app_info"]["ready"],
            migrates=bool(settings[name]["app_migrate_command"]) and target == "staged",
            endpoint=endpoint(settings[name]),
        )
        for name in hosts
    }


def endpoint(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Where the settings say that the service is reached."""
    slots = {slot: int(port) for slot, port in settings["app_slot_ports"].items()}
    return {"public": int(settings["app_port"]), **slots, "live_path": settings["app_live_path"]}


def seen_of(host: t.Mapping[str, t.Any], rollout: str) -> t.Mapping[str, t.Any]:
    """What was seen under the lease is what counts, once there is one; an earlier rollout of the play had its own."""
    lease = host.get("__app_lease", {}) if rollout else {}
    return t.cast("t.Mapping[str, t.Any]", lease.get("seen") or host["__app_info"])


def check_memory(
    plans: t.Mapping[str, HostPlan],
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    known: t.Mapping[str, HostState],
) -> None:
    """Refuse what hosts have no memory for. The way back is never refused: memory may be why somebody goes back."""
    problems = {}
    for name, plan in plans.items():
        limit = str(hosts[name]["__app_check"]["settings"]["app_memory_max"])
        problem = memory_problem(plan, known[name].seen, limit)
        if problem:
            problems[name] = problem
    if problems:
        raise ValueError(memory_refusal(problems))


def note_of(host: t.Mapping[str, t.Any], known: HostState) -> str:
    return host_notes(known.seen, known.ready, host["__app_info"]["answer"])
