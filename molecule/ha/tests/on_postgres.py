"""What the members of the Postgres cluster say of themselves."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from cluster import Hosts, eventually

START = "SELECT pg_postmaster_start_time(), system_identifier FROM pg_control_system()"


def members(hosts: Hosts, of: str) -> dict[str, dict[str, Any]]:
    """How the Patroni of a host sees the cluster; nothing as long as it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{hosts.addresses[of]}:8008/cluster", timeout=10) as answer:
            return {member["name"]: member for member in json.load(answer)["members"]}
    except OSError:
        return {}


def leader(hosts: Hosts, of: str) -> str:
    return next((name for name, member in members(hosts, of).items() if member["role"] == "leader"), "")


def whole(hosts: Hosts) -> bool:
    """Whether all agree on a leader whom the others copy, one of them before a write is acknowledged.

    Who was cut off believes for a while that it still leads. Back again it says that it runs, and stops once more to
    take back what nobody else has.
    """
    views = [members(hosts, host).values() for host in hosts.addresses]
    states = [sorted((member["name"], member["role"], member["state"]) for member in view) for view in views]
    roles = sorted((role, state) for _name, role, state in states[0])
    wanted = [("leader", "running"), ("replica", "streaming"), ("sync_standby", "streaming")]
    return roles == wanted and all(seen == states[0] for seen in states)


def ask(hosts: Hosts, host: str, question: str, database: str = "postgres") -> str:
    return hosts.run(host, "runuser", "-u", "postgres", "--", "psql", "-XAtqd", database, "-c", question)


def hand_over(hosts: Hosts, leads: str) -> str:
    """Have another one lead, in order; who does then."""
    (to,) = [name for name, member in members(hosts, leads).items() if member["role"] == "sync_standby"]
    cluster = ["patronictl", "-c", "/etc/patroni/config.yml", "switchover", "--force"]
    hosts.run(leads, *cluster, "--candidate", to)
    eventually(lambda: leader(hosts, to) == to and whole(hosts), within=240)
    return to


def takes_writes(hosts: Hosts, host: str) -> bool:
    """Whether the server itself would, whoever reaches it."""
    ask = "SELECT NOT pg_is_in_recovery()"
    answer = f"runuser -u postgres -- psql -XAtc '{ask}' 2>/dev/null || true"
    return hosts.run(host, "sh", "-c", answer).strip() == "t"


def identity(hosts: Hosts) -> dict[str, Any]:
    """What a restart, a failover or a new cluster would change."""
    found: dict[str, Any] = {host: ask(hosts, host, START) for host in hosts.addresses}
    return found | {"leader": leader(hosts, "data1")}
