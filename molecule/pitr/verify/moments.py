"""Rows that were dropped come back as they were at a moment; who is killed on the way leaves the live server alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

sys.path.insert(0, "/usr/local/lib/evenkeel-backup/current")

from evenkeel_backup import job, restore_cluster, settings

HERE = settings.read()
CONFIRM = f"--confirm={HERE.host}/cluster"
PSQL = ("runuser", "-u", "postgres", "--", "psql", "-XAtq", "--dbname=notes")
LONGEST_GAP = 15.0


def ask(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout.strip()


def psql(sql: str) -> str:
    return ask(*PSQL, f"--command={sql}")


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: found {found}, wanted {wanted}")


def rows() -> str:
    return psql("SELECT coalesce((SELECT count(*) FROM marker)::text, '')") if there("marker") else "none"


def there(table: str) -> bool:
    return psql(f"SELECT to_regclass('{table}')") == table


def killed_at(victim: str, after: bool, moment: str) -> None:
    """A restore in a process of its own, which dies before or after the step it is to die at."""
    pid = os.fork()
    if pid == 0:
        real = restore_cluster.STEPS[victim]

        def deadly(context: restore_cluster.Restore) -> None:
            if after:
                real(context)
            os.kill(os.getpid(), signal.SIGKILL)

        restore_cluster.STEPS[victim] = deadly
        with job.lock(HERE, "restore", wait=True):
            restore_cluster.run(HERE, "cluster", moment, lambda _priority, _message: None)
        os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    expect(f"{victim} was to be the end of the restore", os.WIFSIGNALED(status), True)


class Service(threading.Thread):
    """Somebody who asks all the time, and counts for how long there is no answer."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.gaps: list[float] = []
        self.done = threading.Event()

    def run(self) -> None:
        answered, failed = time.monotonic(), False
        while not self.done.wait(0.05):
            asked = subprocess.run([*PSQL, "--command=SELECT 1"], check=False, capture_output=True, cwd="/")
            if asked.returncode == 0:
                if failed:
                    self.gaps.append(round(time.monotonic() - answered, 3))
                answered = time.monotonic()
            failed = asked.returncode != 0

    def stop(self) -> list[float]:
        self.done.set()
        self.join()
        return self.gaps


def refused(moment: str) -> None:
    """What was restored does not start, so what was live comes back."""
    psql("ALTER SYSTEM SET shared_buffers = '1TB'")
    ask("evenkeel-backup", "job", "cluster", "--wait")
    psql("ALTER SYSTEM RESET shared_buffers")
    psql("INSERT INTO marker VALUES (1002)")
    done = subprocess.run(
        ["evenkeel-backup", "restore", "cluster", "--from", moment, CONFIRM], check=False, capture_output=True, cwd="/"
    )
    expect("a restore of what does not start", (done.returncode != 0, rows()), (True, "1002"))


def main() -> None:
    ask("evenkeel-backup", "job", "cluster", "--wait")
    ask("evenkeel-backup", "job", "restore-test", "--wait")
    psql("DROP TABLE IF EXISTS marker, later")
    psql("CREATE TABLE marker AS SELECT generate_series(1, 1000) AS n")
    moment = datetime.now(UTC).isoformat()
    psql("DROP TABLE marker")
    psql("CREATE TABLE later ()")

    for victim in ("load", "recover", "switch"):
        killed_at(victim, victim != "switch", moment)
        expect(f"killed at {victim}", (rows(), there("later")), ("none", True))
    killed_at("switch", True, moment)
    expect("killed after the switch", (rows(), there("later")), ("1000", False))
    ask("evenkeel-backup", "undo", "cluster", CONFIRM)
    expect("undone", (rows(), there("later")), ("none", True))

    plan = json.loads(ask("evenkeel-backup", "restore", "database", "--from", moment, "--plan"))
    expect("what has to be confirmed", plan["confirm"], CONFIRM.partition("=")[2])
    expect("what would be replaced", "notes" in plan["sets"][0]["live"]["databases"], True)
    service = Service()
    service.start()
    report = json.loads(ask("evenkeel-backup", "restore", "database", "--from", moment, CONFIRM))["restored"][0]
    gaps = service.stop()
    expect("a service has one gap, and no long one", (len(gaps), max(gaps) < LONGEST_GAP), (1, True))
    expect("restored", (rows(), there("later")), ("1000", False))
    left = psql("SELECT count(*) FROM pg_settings WHERE name ~ '^recovery_target' AND source = 'configuration file'")
    expect("settings of the recovery that are left", left, "0")
    ask("evenkeel-backup", "job", "archive", "--wait")

    # On from there, and once more: what the first restore began can be gone back to as well.
    psql("INSERT INTO marker VALUES (1001)")
    second = datetime.now(UTC).isoformat()
    psql("TRUNCATE marker")
    ask("evenkeel-backup", "restore", "cluster", "--from", second, CONFIRM)
    expect("restored once more", rows(), "1001")
    ask("evenkeel-backup", "discard", "cluster", CONFIRM)
    ask("evenkeel-backup", "job", "archive", "--wait")
    refused("latest")
    ask("evenkeel-backup", "discard", "cluster", CONFIRM)
    ask("evenkeel-backup", "job", "cluster", "--wait")
    ask("evenkeel-backup", "job", "restore-test", "--wait")
    beside = [name for name in os.listdir(restore_cluster.postgres.declared(5432).data.parent) if name != "main"]
    expect("directories that are left", beside, [])
    print(json.dumps({**report, "gap": gaps[0]}))


main()
