"""What the members of the Postgres cluster say of themselves."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from cluster import Hosts

START = "SELECT pg_postmaster_start_time(), system_identifier FROM pg_control_system()"


def members(hosts: Hosts, of: str) -> dict[str, dict[str, Any]]:
    """How the Patroni of a host sees the cluster."""
    with urllib.request.urlopen(f"http://{hosts.addresses[of]}:8008/cluster", timeout=10) as answer:
        return {member["name"]: member for member in json.load(answer)["members"]}


def leader(hosts: Hosts, of: str) -> str:
    return next((name for name, member in members(hosts, of).items() if member["role"] == "leader"), "")


def whole(hosts: Hosts, of: str = "data1") -> bool:
    """Whether there is a leader whom all others copy, one of them before a write is acknowledged."""
    states = [(member["role"], member["state"]) for member in members(hosts, of).values()]
    copying = [role for role, state in states if role != "leader" and state in ("streaming", "running")]
    return ("leader", "running") in states and len(copying) == len(hosts.addresses) - 1 and "sync_standby" in copying


def takes_writes(hosts: Hosts, host: str) -> bool:
    """Whether the server itself would, whoever reaches it."""
    ask = "SELECT NOT pg_is_in_recovery()"
    answer = f"runuser -u postgres -- psql -XAtc '{ask}' 2>/dev/null || true"
    return hosts.run(host, "sh", "-c", answer).strip() == "t"


def identity(hosts: Hosts) -> dict[str, Any]:
    """What a restart, a failover or a new cluster would change."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtc", START]
    found: dict[str, Any] = {host: hosts.run(host, *psql) for host in hosts.addresses}
    return found | {"leader": leader(hosts, "data1")}
