"""Lose the data `directory` and the one above it, or the `host`: all but what a site run makes anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, "/usr/local/lib/evenkeel-backup/current")

from evenkeel_backup import pgbackrest, postgres

REPOSITORY = Path("/var/lib/pgbackrest")
KNOWN = Path("/var/backups/evenkeel/cluster")
KEPT = "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT '{what}' AS n;"
# It streams to a replica, and reaches no archive.
LATE = "CREATE TABLE late AS SELECT generate_series(1, 1000) AS n;"
BEHIND = """
    SELECT slot_name FROM pg_replication_slots LEFT JOIN pg_stat_replication ON pid = active_pid
    WHERE replay_lsn IS NULL OR replay_lsn < pg_current_wal_lsn();
"""
SECONDS_TO_STREAM = 60


def run(*command: str | Path) -> int:
    return subprocess.run(command, check=False, cwd="/", stdout=subprocess.DEVNULL).returncode


def lose(data: Path) -> None:
    """The server dies and its directory with it."""
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    run("rm", "-rf", data.parent)


def main(what: str) -> None:
    server, declared = postgres.running(5432), postgres.declared(5432)
    if run("evenkeel-backup", "job", "cluster", "--wait") != 0:
        raise SystemExit("no backup before the loss")
    server.ask(KEPT.format(what=what), "notes")
    pgbackrest.run("check")
    server.ask(LATE, "notes")
    deadline = time.monotonic() + SECONDS_TO_STREAM
    while behind := server.ask(BEHIND):
        if time.monotonic() > deadline:
            raise SystemExit(f"not copied within {SECONDS_TO_STREAM} s by {behind}")
        time.sleep(0.1)
    lose(declared.data)
    if what == "host":
        run("find", REPOSITORY, KNOWN, "-mindepth", "1", "-delete")
        run("install", "-d", "-o", "postgres", "-g", "postgres", declared.data.parent)
        server.run("initdb", f"--pgdata={declared.data}", "--auth=peer")
        run("systemctl", "restart", declared.unit)
        status = run("evenkeel-backup", "job", "archive", "--wait")
        if status == 0 or list((REPOSITORY / "archive").glob("*")):
            raise SystemExit("the archive of the server that was lost takes the WAL of another")


main(sys.argv[1])
