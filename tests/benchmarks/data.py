"""Compare Postgres, Redis, backups and restores with what they are made of: data.py [--rounds 3] [--megabytes 1000].

Boots a host, measures, and removes it. Ends with what is below its target, if anything is, and with 1 then.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fleet
from trial import Play

FLEET = f"{os.environ.get('FLEET_PREFIX', 'evenkeel')}-data-benchmark"
INVENTORY = fleet.CACHE / FLEET / "inventory"
LIMIT = 600  # seconds that setting the host up does not take
HOST = "db1"
DATABASE, BARE = "benchmark", "benchmark_bare"
PLACE, SETTINGS = "/var/tmp/evenkeel-benchmark", "/run/evenkeel-benchmark.json"
ROW_BYTES = 180  # as Postgres counts them, with their part of the index
OUR_POSTGRES, DEFAULT_POSTGRES = 5432, 5499
OUR_REDIS, DEFAULT_REDIS = 6379, 6399
REQUESTS = 50_000
# Of pgbench: how large its tables are in units of 15 MB, and for how many seconds four clients use them.
SCALE, SECONDS = 10, 8
TARGET, TARGETED = 0.9, ("backup", "restore")
LOGIN = """-a "$(sed -nE 's/^requirepass "(.*)"$/\\1/p' /etc/redis/redis.conf)" """


def on_host(script: str) -> str:
    return fleet.run("docker", "exec", "-i", fleet.container(FLEET, HOST), "bash", "-euc", script)


def as_postgres(script: str) -> None:
    on_host(f"cd /; runuser -u postgres -- bash -euc '{script}'")


def fill(megabytes: int) -> None:
    rows = megabytes * 1_000_000 // ROW_BYTES
    text = "md5(n::text) || md5((n + 1)::text) || md5((n + 2)::text)"
    as_postgres(f"""
        dropdb --if-exists {DATABASE}; createdb {DATABASE}
        psql -Xqd {DATABASE} -c "CREATE TABLE items AS SELECT n, {text} AS text FROM generate_series(1, {rows}) n"
        psql -Xqd {DATABASE} -c "ALTER TABLE items ADD PRIMARY KEY (n)"
    """)


def configure() -> None:
    """The program as the role installed it, with a place of its own, and neither encryption nor a second copy."""
    settings = json.loads(on_host("cat /etc/evenkeel-backup.json"))
    settings |= {"databases": [DATABASE], "schedules": {"backup": "@daily"}, "recheck": 0}
    settings |= {"directory": f"{PLACE}/backups", "work": f"{PLACE}/work", "metrics": f"{PLACE}/metrics"}
    on_host(f"install -d -m 0711 {PLACE}; umask 077; cat > {SETTINGS} <<'END'\n{json.dumps(settings)}\nEND")
    on_host(f"install -d -o postgres -m 0700 {PLACE}-bare")


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def bare_backup() -> None:
    as_postgres(f"nice pg_dump --format=custom --file={PLACE}-bare/dump {DATABASE}")


def our_backup() -> None:
    on_host(f"evenkeel-backup --settings {SETTINGS} job backup")


def bare_restore() -> None:
    """With the statistics without which nobody would let users in."""
    as_postgres(f"""
        createdb --template=template0 {BARE}
        pg_restore --exit-on-error --jobs=$(nproc) --dbname={BARE} {PLACE}-bare/dump
        vacuumdb --analyze-only --quiet --jobs=$(nproc) {BARE}
    """)


def our_restore() -> None:
    confirm = f"--confirm={HOST}/database/{DATABASE}"
    on_host(f"evenkeel-backup --settings {SETTINGS} restore database --no-safety-copy {confirm} >/dev/null")


def tidy() -> None:
    """As it was before, also on the disk: whoever comes next would have to wait for what the one before wrote."""
    as_postgres(f"dropdb --if-exists {BARE}")
    on_host(f"evenkeel-backup --settings {SETTINGS} discard database --confirm={HOST}/database/{DATABASE} >/dev/null")
    as_postgres("psql -Xqc CHECKPOINT")
    on_host("sync")


def speed(megabytes: int, work: Callable[[], object]) -> float:
    taken = seconds(work)
    tidy()
    return megabytes / taken


def postgres_rate(port: int, *how: str) -> float:
    """Transactions a second."""
    bench = f"pgbench --no-vacuum --client=4 --jobs=2 --time={SECONDS} --port={port} {' '.join(how)} pgbench"
    said = on_host(f"cd /; runuser -u postgres -- {bench}")
    return float(re.findall(r"tps = ([\d.]+)", said)[-1])


def redis_rate(port: int, login: str) -> dict[str, float]:
    """Requests a second, by command."""
    said = on_host(f"redis-benchmark -p {port} {login} -t set,get -n {REQUESTS} -r 10000 -d 100 --csv")
    lines = [line.replace('"', "").split(",") for line in said.splitlines() if line.startswith('"')]
    return {f"redis {words[0]}": float(words[1]) for words in lines if words[0] in ("SET", "GET")}


def default_servers() -> None:
    """Servers with Debian's own settings, as its packages have them, but for the port."""
    on_host(f"""
        pg_createcluster --port={DEFAULT_POSTGRES} --start "$(ls /usr/lib/postgresql)" benchmark
        mkdir -p {PLACE}/redis
        redis-server --port {DEFAULT_REDIS} --dir {PLACE}/redis --daemonize yes --save '3600 1 300 100 60 10000'
    """)
    for port in (OUR_POSTGRES, DEFAULT_POSTGRES):
        as_postgres(
            f"createdb --port={port} pgbench; pgbench --initialize --quiet --scale={SCALE} --port={port} pgbench"
        )


def measure(rounds: int, megabytes: int) -> dict[str, list[tuple[float, float]]]:
    """For each row, of each round what the bare programs reach and what ours do: megabytes or requests a second."""
    seen: dict[str, list[tuple[float, float]]] = {}
    pairs = {"backup": (bare_backup, our_backup), "restore": (bare_restore, our_restore)}
    for turn in range(rounds):
        for name, (bare, ours) in pairs.items():
            # Who goes first is the faster one, so they take turns.
            order = (bare, ours) if turn % 2 == 0 else (ours, bare)
            speeds = {work: speed(megabytes, work) for work in order}
            seen.setdefault(name, []).append((speeds[bare], speeds[ours]))
        for name, how in (("pgbench", ()), ("pgbench -S", ("--select-only",))):
            rates = postgres_rate(DEFAULT_POSTGRES, *how), postgres_rate(OUR_POSTGRES, *how)
            seen.setdefault(name, []).append(rates)
        default, ours_now = redis_rate(DEFAULT_REDIS, ""), redis_rate(OUR_REDIS, LOGIN)
        for name, rate in default.items():
            seen.setdefault(name, []).append((rate, ours_now[name]))
    return seen


def set_up(megabytes: int) -> None:
    fleet.up(FLEET, str(Path(__file__).parent / "data"), str(INVENTORY))
    done = Play(["ansible-playbook", "site.yml", "-i", str(INVENTORY)], {}).end(LIMIT)
    if done.status:
        raise OSError(f"setting the host up did not succeed:\n{done.output}")
    fill(megabytes)
    configure()
    default_servers()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=1000)
    wanted = parser.parse_args()
    # Whoever loses patience leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("data: told to stop."))
    try:
        set_up(wanted.megabytes)
        seen = measure(wanted.rounds, wanted.megabytes)
    finally:
        fleet.down(FLEET, str(INVENTORY))
    print(f"{'':10}{'bare':>10}{'ours':>10}{'ratio':>8}")
    ratios = {name: statistics.median(ours / bare for bare, ours in rounds) for name, rounds in seen.items()}
    for name, rounds in seen.items():
        bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:10}{bare:10.0f}{ours:10.0f}{ratios[name]:8.2f}")
    missed = [f"{name} reaches {ratios[name]:.3f}" for name in TARGETED if ratios[name] < TARGET]
    if missed:
        sys.exit(f"benchmark: wanted at least {TARGET:g} of what the bare programs reach: {', '.join(missed)}")


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"data: {problem}")
