"""Who leads is gone, in the order in which the tests stand here."""

from __future__ import annotations

import re

import on_postgres
import on_redis
from cluster import Hosts, eventually


def whole(hosts: Hosts) -> None:
    eventually(lambda: on_redis.whole(hosts), within=240)
    eventually(lambda: on_postgres.whole(hosts), within=240)


def test_a_second_run_changes_nothing(hosts: Hosts) -> None:
    whole(hosts)
    before = on_redis.identity(hosts), on_postgres.identity(hosts)
    assert "changed=0" in hosts.site()
    assert (on_redis.identity(hosts), on_postgres.identity(hosts)) == before


def test_every_member_is_measured_and_looked_after(hosts: Hosts) -> None:
    whole(hosts)
    seen = {}
    for host in hosts.addresses:
        jobs = hosts.run(host, "cat", "/etc/cron.d/evenkeel-postgres")
        for job in ("vacuum", "metrics"):
            hosts.run(host, "sh", "-c", re.findall(rf" root (.* {job}) 2>&1", jobs)[0])
        metrics = hosts.run(host, "cat", "/var/lib/prometheus/node-exporter/evenkeel_postgres.prom")
        seen[host] = re.findall(r"(?m)^evenkeel_postgres_replica (\d)", metrics)
    leads = on_postgres.leader(hosts, next(iter(seen)))
    assert seen == {host: ["0" if host == leads else "1"] for host in seen}


def test_redis_goes_on_without_its_primary(hosts: Hosts) -> None:
    whole(hosts)
    lost = on_redis.leader(hosts, "data1")
    other = next(host for host in hosts.addresses if host != lost)
    writer = hosts.write(other, "redis_writer.py", *hosts.addresses.values())
    writer.wait_for_writes(500)
    hosts.kill(lost)
    now = eventually(lambda: hosts.other_than(lost, on_redis.leader(hosts, other)))
    writer.wait_for_writes(1000)
    report = writer.end()
    print(f"\nRedis without its primary: {report}")
    assert report["lost_confirmed"] == 0
    assert report["confirmed"] > 0
    # Who does not wait for a replica may lose what was under way to it.
    assert report["lost_seconds"] < 1
    assert report["gap"] < 120

    # Back again, it copies the new one, and takes no write before it does.
    hosts.boot()
    said = eventually(lambda: on_redis.refusal(hosts, lost))
    assert re.search("READONLY|NOREPLICAS", said), said
    whole(hosts)
    assert on_redis.leader(hosts, lost) == now


def test_postgres_goes_on_without_its_leader(hosts: Hosts) -> None:
    whole(hosts)
    lost = on_postgres.leader(hosts, "data1")
    other = next(host for host in hosts.addresses if host != lost)
    writer = hosts.write(other, "postgres_writer.py", *hosts.addresses.values())
    writer.wait_for_writes(200)
    hosts.kill(lost)
    now = eventually(lambda: hosts.other_than(lost, on_postgres.leader(hosts, other)), within=240)
    writer.wait_for_writes(400)
    report = writer.end()
    print(f"\nPostgres without its leader: {report}")
    assert report["lost"] == 0
    assert report["gap"] < 180

    # Back again, it copies the new one.
    hosts.boot()
    whole(hosts)
    assert on_postgres.leader(hosts, lost) == now


def test_postgres_loses_nothing_where_its_leader_is_cut_off(hosts: Hosts) -> None:
    whole(hosts)
    lost = on_postgres.leader(hosts, "data1")
    other = next(host for host in hosts.addresses if host != lost)
    writer = hosts.write(other, "postgres_writer.py", *hosts.addresses.values())
    writer.wait_for_writes(200)
    hosts.cut_off(lost)
    try:
        # It gives up before another one takes over, though nobody tells it.
        eventually(lambda: not on_postgres.takes_writes(hosts, lost), within=240)
        now = eventually(lambda: hosts.other_than(lost, on_postgres.leader(hosts, other)), within=240)
        writer.wait_for_writes(400)
        assert not on_postgres.takes_writes(hosts, lost)
    finally:
        hosts.join(lost)
    report = writer.end()
    print(f"\nPostgres with its leader cut off: {report}")
    assert report["lost"] == 0
    assert report["gap"] < 180

    # Heard again, it copies the new one.
    whole(hosts)
    assert on_postgres.leader(hosts, lost) == now


def test_a_run_leaves_who_leads_now_alone(hosts: Hosts) -> None:
    whole(hosts)
    before = on_redis.identity(hosts), on_postgres.identity(hosts)
    assert "changed=0" in hosts.site()
    assert (on_redis.identity(hosts), on_postgres.identity(hosts)) == before


def test_a_setting_that_wants_a_restart_gets_it_in_the_run_that_allows_it(hosts: Hosts) -> None:
    """Where others lead than the inventory's first; who leads stays, and so does Redis."""
    whole(hosts)
    led, before = on_postgres.leader(hosts, "data1"), on_redis.identity(hosts)
    settings = {"shared_buffers": "64MB", "max_connections": 50, "superuser_reserved_connections": 5}
    hosts.site(postgres_settings=settings, postgres_allow_restart=True, redis_maxmemory="65mb")
    whole(hosts)
    asked = "SHOW superuser_reserved_connections"
    assert {host: on_postgres.ask(hosts, host, asked) for host in hosts.addresses} == dict.fromkeys(
        hosts.addresses, "5"
    )
    assert (on_postgres.leader(hosts, "data1"), on_redis.identity(hosts)) == (led, before)
