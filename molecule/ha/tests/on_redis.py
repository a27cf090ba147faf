"""What the servers of Redis and the Sentinels say of themselves."""

from __future__ import annotations

import re

import yaml
from cluster import Hosts

SENTINEL = ["env", "REDISCLI_AUTH=sentinels-password", "redis-cli", "-p", "26379"]
MEMBERS = 3


def redis(hosts: Hosts, host: str, *words: str) -> str:
    password = yaml.safe_load((hosts.inventory / "group_vars/all/vault.yml").read_text())["vault_redis_password"]
    return hosts.run(host, "env", f"REDISCLI_AUTH={password}", "redis-cli", "--user", "evenkeel", *words)


def leader(hosts: Hosts, of: str) -> str:
    """Whom the Sentinel of a host takes for the primary."""
    address = hosts.run(of, *SENTINEL, "SENTINEL", "get-master-addr-by-name", "notes").split()[0]
    return next(host for host, known in hosts.addresses.items() if known == address)


def identity(hosts: Hosts) -> dict[str, list[str]]:
    """What a restart, a failover or a Sentinel that begins anew would change."""
    found = {}
    for host in hosts.addresses:
        own = re.findall(
            r"^sentinel (?:myid|monitor|.*-epoch).*$", hosts.run(host, "cat", "/etc/redis/sentinel.conf"), re.M
        )
        info = redis(hosts, host, "INFO")
        found[host] = sorted(own) + re.findall(r"^(?:run_id|role|master_host|master_replid):\S+", info, re.M)
    return found


def whole(hosts: Hosts) -> bool:
    """Whether all of them copy the primary, and all Sentinels see each other."""
    first = next(iter(hosts.addresses))
    said = hosts.run(first, *SENTINEL, "SENTINEL", "CKQUORUM", "notes")
    links = re.findall(r"state=online", redis(hosts, leader(hosts, first), "INFO", "replication"))
    return said.startswith(f"OK {MEMBERS} usable") and len(links) == MEMBERS - 1


def refusal(hosts: Hosts, host: str) -> str:
    """What the server says to a write; nothing as long as there is no server."""
    write = "redis-cli --user notes --pass notes-password --no-auth-warning SET notes:late x 2>&1 || true"
    said = hosts.run(host, "sh", "-c", write)
    return "" if "Could not connect" in said else said
