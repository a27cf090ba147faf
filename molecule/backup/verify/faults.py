"""What goes wrong around a backup: each thing ends the run with a class of its own, and says so in the metrics."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from pathlib import Path

CONFIG = Path("/etc/evenkeel-backup.json")
OTHER = Path("/run/evenkeel-verify.json")
WORK = Path("/run/evenkeel-verify")
SMALL = Path("/run/evenkeel-verify/small")
LOCK = "BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"
RELEASE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK TABLE%'"


def configure(**changes: t.Any) -> None:
    settings = json.loads(CONFIG.read_text())
    settings.update(work=str(WORK), metrics=str(WORK / "metrics"), directory=str(WORK / "backups"), remote="")
    settings.update(
        databases=["notes"],
        redis=False,
        files=[],
        recipients=[],
        pings={"backup": "http://127.0.0.1:9/ping"},
        reserve=0,
    )
    OTHER.write_text(json.dumps({**settings, **changes}))


def start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["evenkeel-backup", "--settings", str(OTHER), "job", *words])


def metric(name: str) -> float:
    lines = [line.rpartition(" ") for line in (WORK / "metrics/evenkeel_backup.prom").read_text().splitlines()]
    return next(float(value) for key, _space, value in lines if key == f'{name}{{job="backup"}}')


def expect(what: str, process: subprocess.Popen[bytes], status: int) -> list[str]:
    ended, code = process.wait(), metric("evenkeel_job_exit_code")
    alive = subprocess.run(["pg_isready", "--quiet"], check=False).returncode == 0
    return [
        *([] if ended == status else [f"{what}: ended with {ended}, not {status}"]),
        *([] if code == status or status == 75 else [f"{what}: the metric says {code}"]),
        *([] if alive else [f"{what}: Postgres does not answer"]),
    ]


def hang() -> list[str]:
    """Somebody holds a lock for ever: the run is ended in time, and another one meanwhile is skipped and counted."""
    words = ["runuser", "-u", "postgres", "--", "psql", "-Xq", "--dbname=notes", f"--command={LOCK}"]
    holder = subprocess.Popen(words, cwd="/", stdout=subprocess.DEVNULL)
    time.sleep(1)
    configure(timeout="8s")
    first = start("backup")
    while not (WORK / "jobs/backup.json").exists():
        time.sleep(0.05)
    problems = expect("a second run", start("backup"), 75)
    if metric("evenkeel_job_skipped_total") != 1 or metric("evenkeel_job_running") != 1:
        problems.append("a second run: the metrics do not tell that it was skipped")
    problems += expect("a run that hangs", first, 124)
    subprocess.run([*words[:-1], f"--command={RELEASE}"], cwd="/", check=True, stdout=subprocess.DEVNULL)
    holder.wait()
    if list((WORK / "backups").glob("**/*.part")):
        problems.append("a run that hangs: its unfinished backup is left")
    return problems


def full_disk() -> list[str]:
    """There is less room than a backup needs: it ends by itself, and the reserve stays free."""
    SMALL.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(SMALL)], check=True)
    try:
        configure(directory=str(SMALL), reserve=5 << 19)  # which leaves half of what the dump takes
        problems = expect("no room for a first backup", start("backup"), 1)
        used = sum(path.stat().st_size for path in SMALL.glob("**/*") if path.is_file())
        if used > 1 << 16:
            problems.append(f"no room for a first backup: {used} bytes are left behind")
        configure(directory=str(SMALL), reserve=4 << 20)
        return problems + expect("no room at all", start("backup"), 73)
    finally:
        subprocess.run(["umount", str(SMALL)], check=True)


def no_remote() -> list[str]:
    options = {"type": "sftp", "host": "127.0.0.1", "port": "9", "user": "nobody", "pass": ""}
    configure(remote="gone:x", remote_options=options)
    problems = expect("no remote store", start("backup"), 69)
    if not list((WORK / "backups/database/notes").iterdir()):
        problems.append("no remote store: there is no backup here either")
    return problems


def missed() -> list[str]:
    """Cron was away when a run was due: the line of every minute makes up for it, once."""
    configure(schedules={"backup": "0 2 * * *"})
    record = WORK / "jobs/backup.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "started": 1, "finished": 2}))
    problems = expect("a missed run", start(), 0)
    began = metric("evenkeel_job_start_timestamp_seconds")
    problems += expect("nothing missed", start(), 0)
    if began < time.time() - 600 or metric("evenkeel_job_start_timestamp_seconds") != began:
        problems.append("a missed run was not made up for exactly once")
    return problems


def main() -> None:
    WORK.mkdir()
    try:
        problems = [*hang(), *full_disk(), *no_remote(), *missed()]
    finally:
        subprocess.run(["rm", "-rf", str(WORK), str(OTHER)], check=True)
    print(json.dumps({"problems": problems}))
    sys.exit(bool(problems))


main()
