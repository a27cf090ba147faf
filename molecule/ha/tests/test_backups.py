"""The hosts take turns in leading: there is always one that backs up, and what one took any other can restore."""

from __future__ import annotations

import json
import re

import on_postgres
import on_redis
from cluster import Hosts, eventually

SET = "database/notes"
# The members share the name under which they back up, so none backs up its Redis unless this test says so.
OWN = """
import json
settings = json.load(open("/etc/evenkeel-backup.json"))
settings.update(host="own", redis=True, databases=[], remote="", directory="/run/own/backups", work="/run/own/work")
settings.update(metrics="/run/own/metrics", reserve=0)
json.dump(settings, open("/run/own.json", "w"))
"""
LISTENS = "ss --no-header --listening --tcp sport = :5000"
SERVE = "systemd-run -qu store rclone --config= serve webdav /srv/store --addr :5000"
STORE = f"mkdir -p /srv/store; systemctl -q is-active store || {SERVE}"

DROP_IN = "/run/systemd/system/redis-server.service.d"
# A server that comes back so late that the Sentinels, of which one is asked, have chosen another primary.
AWAY = f"""
mkdir -p {DROP_IN}
cat > /run/until_replaced <<'END'
#!/bin/sh
while REDISCLI_AUTH=sentinels-password redis-cli -h {{other}} -p 26379 SENTINEL get-master-addr-by-name notes |
    grep -qx {{address}}; do sleep 0.2; done
END
printf '[Service]\nExecStartPre=+/bin/sh /run/until_replaced\n' > {DROP_IN}/late.conf
systemctl daemon-reload
"""


def backups(hosts: Hosts) -> dict[str, set[str]]:
    """The good ones that lie on each host."""
    found = {host: json.loads(hosts.run(host, "evenkeel-backup", "list", SET))[SET] for host in hosts.addresses}
    return {host: {one["id"] for one in ours if not one["damaged"]} for host, ours in found.items()}


def back_up(hosts: Hosts) -> dict[str, str]:
    """Have every host do as cron would; the newest backup of each that has taken one."""
    before = backups(hosts)
    for host in hosts.addresses:
        for job in ("backup", "restore-test"):
            hosts.run(host, "evenkeel-backup", "job", job, "--wait")
    return {host: max(ours) for host, ours in backups(hosts).items() if ours > before[host]}


def alarming(hosts: Hosts, host: str) -> list[str]:
    """What an alert would be raised by: a job without success, and an age that is not of these minutes."""
    lines = hosts.run(host, "cat", "/var/lib/prometheus/node-exporter/evenkeel_backup.prom").splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    late = [name for name in told if name.startswith("evenkeel_job_success") and float(told[name]) == 0]
    failed = [name for name in told if name.startswith("evenkeel_job_exit_code") and float(told[name]) != 0]
    old = [name for name in told if name.startswith("evenkeel_backup_age") and float(told[name]) > 600]
    return late + failed + old


def left(hosts: Hosts, host: str) -> bool:
    told = hosts.run(host, "cat", "/var/lib/prometheus/node-exporter/evenkeel_backup.prom")
    found = re.search(r"^evenkeel_backup_left\{.*\} ([01])$", told, re.M)
    assert found
    return found[1] == "1"


def test_whoever_leads_backs_up_and_can_restore_what_another_took(hosts: Hosts) -> None:
    eventually(lambda: on_postgres.whole(hosts), within=240)
    hosts.run("data1", "sh", "-c", STORE)
    eventually(lambda: hosts.run("data1", "sh", "-c", LISTENS))
    first = on_postgres.leader(hosts, "data1")
    on_postgres.ask(hosts, first, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1 AS number", "notes")
    taken = back_up(hosts)
    assert list(taken) == [first]

    second = on_postgres.hand_over(hosts, first)
    on_postgres.ask(hosts, second, "INSERT INTO kept VALUES (2)", "notes")
    assert list(back_up(hosts)) == [second]
    assert {host: left(hosts, host) for host in hosts.addresses} == {host: host != second for host in hosts.addresses}
    assert {host: alarming(hosts, host) for host in hosts.addresses} == {host: [] for host in hosts.addresses}

    confirmed = f"--confirm=notes-cluster/{SET}"
    said = hosts.run(first, "sh", "-c", f"evenkeel-backup restore {SET} {confirmed} 2>&1 || true")
    assert "restore on its primary" in said, said
    hosts.play(
        *("playbooks/restore.yml", "--limit", second, "-e", f"what={SET}", "-e", f"from={taken[first]}"),
        *("-e", "restore_remote=true", "-e", f"restore_confirm=notes-cluster/{SET}"),
    )
    counted = "SELECT string_agg(number::text, ',') FROM kept"
    for host in hosts.addresses:
        eventually(lambda on=host: on_postgres.ask(hosts, on, counted, "notes") == "1")
    hosts.run(second, "evenkeel-backup", "discard", SET, confirmed)


def test_redis_is_restored_where_it_leads_and_the_others_follow(hosts: Hosts) -> None:
    eventually(lambda: on_redis.whole(hosts), within=240)
    leads = on_redis.leader(hosts, "data1")
    copies = next(host for host in hosts.addresses if host != leads)

    def program(host: str, *words: str) -> str:
        return hosts.run(host, "sh", "-c", f"evenkeel-backup --settings /run/own.json {' '.join(words)} 2>&1 || true")

    def everywhere(value: str) -> None:
        for host in hosts.addresses:
            eventually(lambda on=host: on_redis.redis(hosts, on, "GET", "notes:kept").strip() == value)

    for host in (leads, copies):
        hosts.run(host, "python3", "-c", OWN)
        hosts.run(host, "mkdir", "-p", "/run/own/backups")
    on_redis.redis(hosts, leads, "SET", "notes:kept", "saved")
    for host in (leads, copies):
        program(host, "job", "backup", "--wait")
    on_redis.redis(hosts, leads, "SET", "notes:kept", "live")
    everywhere("live")

    said = program(copies, "restore", "redis", "--confirm", "own/redis")
    assert "Run it on the primary" in said, said
    everywhere("live")
    # Nobody is to take over meanwhile, however long the restart takes on a machine that is busy.
    patience(hosts, 300)
    try:
        for action, value in (("restore", "saved"), ("undo", "live")):
            said = program(leads, action, "redis", "--confirm", "own/redis")
            everywhere(value)
            eventually(lambda: on_redis.whole(hosts))
            assert on_redis.leader(hosts, copies) == leads, said
    finally:
        patience(hosts, 20)
    # Here they do take over: it starts only when the others have another primary.
    hosts.run(leads, "sh", "-c", AWAY.format(address=hosts.addresses[leads], other=hosts.addresses[copies]))
    try:
        patience(hosts, 1)
        said = program(leads, "restore", "redis", "--confirm", "own/redis")
        assert "Run it on the primary" in said, said
        assert on_redis.leader(hosts, copies) != leads
        # From then on it copies, and nothing it does by itself would last.
        said = program(leads, "undo", "redis", "--confirm", "own/redis")
        assert "Run it on the primary" in said, said
    finally:
        patience(hosts, 20)
        hosts.run(leads, "sh", "-c", f"rm -r {DROP_IN}; systemctl daemon-reload")
    eventually(lambda: on_redis.whole(hosts), within=240)
    everywhere("live")
    program(leads, "discard", "redis", "--confirm", "own/redis")
    for host in (leads, copies):
        hosts.run(host, "rm", "-r", "/run/own", "/run/own.json")


def patience(hosts: Hosts, seconds: int) -> None:
    """How long the Sentinels wait for a primary."""
    for host in hosts.addresses:
        hosts.run(host, *on_redis.SENTINEL, "SENTINEL", "SET", "notes", "down-after-milliseconds", f"{seconds}000")
