# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Whether hosts bear what is planned for them, and the plan in words."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS, other_slot
from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import NO_BATCH, SURGE, HostPlan, HostState

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def memory_limit(text: str, total: int) -> int:
    """How many bytes a limit such as C(512M) or C(25%) of a host with so many in all stands for; 0 for none."""
    percentage = re.fullmatch(r"(\d+)%", text)
    if percentage:
        return total * int(percentage.group(1)) // 100
    number = re.fullmatch(r"(\d+)([KMGT]?)", text)
    return int(number.group(1)) * UNITS[number.group(2)] if number else 0


def memory_problem(plan: HostPlan, seen: t.Mapping[str, t.Any], limit: str) -> str:
    """Why a host has no memory for a second instance; empty if it has, or needs none.

    An instance may take as much as its limit or, without one, is taken to need as much as the one that runs.
    """
    beside = seen["slots"][other_slot(plan.new_slot)]
    if not _starts_more(plan, seen) or not beside["running"]:
        return ""
    available = seen["memory"]["available"]
    wanted = memory_limit(limit, seen["memory"]["total"])
    if available >= (wanted or beside["memory"]):
        return ""
    takes = f"may take {_mib(wanted)} (app_memory_max)" if wanted else f"takes {_mib(beside['memory'])} as the one now"
    return f"has {_mib(available)} of memory left, but a second instance {takes}"


def memory_refusal(problems: t.Mapping[str, str]) -> str:
    said = "; ".join(f"{host} {problem}" for host, problem in problems.items())
    return (
        f"no room for two instances, which the strategy surge needs: {said}. Nothing was shifted. "
        "Free memory, lower app_memory_max, or use app_strategy in_place"
    )


def more_connections(
    plans: t.Mapping[str, HostPlan],
    seen: t.Mapping[str, t.Mapping[str, t.Any]],
    settings: t.Mapping[str, t.Mapping[str, t.Any]],
) -> dict[str, int]:
    """By service, how many connections its database may get beside those of now, from all services that use it."""
    more: dict[tuple[str, bool], int] = {}
    for name, plan in plans.items():
        if _starts_more(plan, seen[name]):
            database = _database(settings[name])
            more[database] = more.get(database, 0) + int(settings[name]["app_database_connections"])
    return {plan.service: more.get(_database(settings[name]), 0) for name, plan in plans.items()}


def _database(settings: t.Mapping[str, t.Any]) -> tuple[str, bool]:
    """Which server counts the connections; one in front of it counts for itself."""
    return settings["app_database_host"], bool(settings["app_database_pooled"])


def _starts_more(plan: HostPlan, seen: t.Mapping[str, t.Any]) -> bool:
    """Whether an instance starts that is none yet: what a killed run left running is in all figures already."""
    return plan.strategy == SURGE and plan.batch != NO_BATCH and not seen["slots"][plan.new_slot]["running"]


def check_public_ports(plans: t.Mapping[str, HostPlan], known: t.Mapping[str, HostState]) -> None:
    """Refuse to move a service that runs to another public port. Raises ValueError.

    Firewalls follow the settings before it has moved, and balancers when all of its hosts have.
    """
    moved = [
        name
        for name, plan in plans.items()
        if plan.batch != NO_BATCH and known[name].seen["serves_at"] not in (0, plan.endpoint["public"])
    ]
    if moved:
        plan, seen = plans[moved[0]], known[moved[0]].seen
        where = f"{plan.service} on {', '.join(moved)}"
        raise ValueError(port_refusal(where, seen["serves_at"], plan.endpoint["public"]))


def port_refusal(where: str, now: int, wanted: int) -> str:
    return (
        f"users reach {where} at port {now}, but it is to be reached at {wanted} (app_port): balancers and other hosts "
        f"would speak to a port at which nobody answers, until they are told. Nothing was changed. Keep {now}; or stop "
        "the service with the playbook emergency_stop, which users notice, and then run the playbook site"
    )


def _mib(size: int) -> str:
    return f"{size >> 20} MiB"


def host_notes(seen: t.Mapping[str, t.Any], ready: bool | None, answer: str) -> str:
    """What is not well on a host before a rollout; a new release may be the cure, so it is told and not refused."""
    if seen["switch"] not in SLOTS:
        return "serves nobody now: its switch is closed" if seen["current"] and seen["switch"] == "closed" else ""
    slot = seen["slots"][seen["switch"]]
    if not slot["running"]:
        return f"serves nobody now: slot {seen['switch']} is down"
    return f"is not ready now: {answer}" if ready is False else ""


def summary(
    service: str,
    plans: t.Mapping[str, HostPlan],
    settings: t.Mapping[str, t.Any],
    own_probes: t.Iterable[str],
) -> str:
    """How a service is going to be rolled out, on a line. ``own_probes`` are those that its settings add."""
    mine = {name: plan for name, plan in plans.items() if plan.service == service and plan.batch != NO_BATCH}
    numbers = [plan.batch for plan in mine.values()]
    sizes = [str(numbers.count(number)) for number in range(max(numbers) + 1)]
    probes = [f"{settings['app_ready_path']}{_json(settings['app_ready_json'])}"]
    if settings["app_version_path"]:
        probes.append(f"the version at {settings['app_version_path']}")
    said = [
        f"strategy {next(iter(mine.values())).strategy}",
        f"batches of {', '.join(sizes)}",
        f"gate wants {', '.join([*probes, *own_probes])} for {float(settings['app_gate_min_healthy']):g} s,"
        f" with traffic for {float(settings['app_bake_min_healthy']):g} s",
    ]
    said += [f"{' '.join(settings['app_migrate_command'])} on {name} first" for name in mine if mine[name].migrates]
    return f"{service}: {'; '.join(said)}"


def _json(wanted: t.Mapping[str, t.Any]) -> str:
    return f" {json.dumps(wanted)}" if wanted else ""
