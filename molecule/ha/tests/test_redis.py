"""Redis under Sentinel, in the order in which the tests stand here."""

from __future__ import annotations

import re

import yaml
from cluster import Hosts, eventually

SENTINEL = ["env", "REDISCLI_AUTH=sentinels-password", "redis-cli", "-p", "26379"]
ALIVE = 3


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
    return said.startswith(f"OK {ALIVE} usable") and len(links) == ALIVE - 1


def test_a_second_run_changes_nothing(hosts: Hosts) -> None:
    eventually(lambda: whole(hosts))
    before = identity(hosts)
    assert "changed=0" in hosts.site("--tags", "redis,sentinel")
    assert identity(hosts) == before


def test_another_takes_over_from_a_primary_that_is_gone(hosts: Hosts) -> None:
    eventually(lambda: whole(hosts))
    lost, other = leader(hosts, "data1"), next(host for host in hosts.addresses if host != leader(hosts, "data1"))
    writer = hosts.write(other, "redis_writer.py", *hosts.addresses.values())
    writer.wait_for_writes(500)
    hosts.kill(lost)
    eventually(lambda: leader(hosts, other) != lost)
    writer.wait_for_writes(1000)
    report = writer.end()
    print(f"\nRedis lost its primary: {report}")
    assert report["lost_confirmed"] == 0
    assert report["confirmed"] > 0
    # Who does not wait for a replica may lose what was under way to it.
    assert report["lost_seconds"] < 1
    assert report["gap"] < 60

    # Back again, it copies the new one, and takes no write before it does.
    now = leader(hosts, other)
    hosts.boot()
    said = eventually(lambda: refusal(hosts, lost))
    assert re.search("READONLY|NOREPLICAS", said), said
    eventually(lambda: whole(hosts))
    assert leader(hosts, lost) == now


def refusal(hosts: Hosts, host: str) -> str:
    """What the server says to a write; nothing as long as there is no server."""
    write = "redis-cli --user notes --pass notes-password --no-auth-warning SET notes:late x 2>&1 || true"
    said = hosts.run(host, "sh", "-c", write)
    return "" if "Could not connect" in said else said


def test_a_run_leaves_the_new_primary_alone(hosts: Hosts) -> None:
    before = identity(hosts)
    assert leader(hosts, "data1") != "data1"
    assert "changed=0" in hosts.site("--tags", "redis,sentinel")
    assert identity(hosts) == before
