"""Lose the data `directory` and the one above it, or the `host`: all but what a site run makes anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, "/usr/local/lib/evenkeel-backup/current")

from evenkeel_backup import pgbackrest, postgres

REPOSITORY = Path("/var/lib/pgbackrest")
KNOWN = Path("/var/backups/evenkeel/cluster")
KEPT = "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT '{what}' AS n;"
# It streams to a replica at once, and reaches no archive.
LATE = "CREATE TABLE late AS SELECT generate_series(1, 1000) AS n;"


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
