"""An archive that takes nothing is told with the next look; the disk does not fill, and Postgres stays up."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

ARCHIVE = Path("/var/lib/pgbackrest/archive")
METRICS = Path("/var/lib/prometheus/node-exporter/evenkeel_backup.prom")
MOST = 64 << 20  # backup_archive_queue


def psql(sql: str) -> str:
    command = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "--dbname=notes", f"--command={sql}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout.strip()


def job(name: str) -> int:
    return subprocess.run(["evenkeel-backup", "job", name, "--wait"], check=False, capture_output=True).returncode


def until(what: str, condition: str) -> None:
    deadline = time.monotonic() + 90
    while psql(condition) != "t":
        if time.monotonic() > deadline:
            raise SystemExit(f"not within 90 s: {what}")
        time.sleep(0.5)


def write() -> None:
    psql("DROP TABLE IF EXISTS filler; CREATE TABLE filler AS SELECT generate_series(1, 1000) AS n")
    psql("SELECT pg_switch_wal()")


def main() -> None:
    if job("archive") != 0:
        raise SystemExit("the archive is broken before it is broken")
    before = psql("SELECT pg_postmaster_start_time()")
    ARCHIVE.chmod(0)
    write()
    until("an attempt fails", "SELECT last_failed_time > last_archived_time FROM pg_stat_archiver")
    if job("archive") == 0 or "evenkeel_backup_archive_broken 1" not in METRICS.read_text():
        raise SystemExit("nobody noticed that nothing is archived any more")
    for _segment in range(8):
        write()
    waiting = "SELECT count(*) * 16 * 1024 * 1024 FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
    until("what waits is let go", f"SELECT ({waiting}) <= {MOST}")
    ARCHIVE.chmod(0o750)
    until("nothing waits any more", f"SELECT ({waiting}) = 0")
    if psql("SELECT pg_postmaster_start_time()") != before:
        raise SystemExit("Postgres did not stay up")
    if job("cluster") == 0:
        raise SystemExit("nobody noticed that WAL was let go")
    for name in ("cluster", "archive"):
        if job(name) != 0:
            raise SystemExit(f"{name} does not go well again")
    if "evenkeel_backup_archive_broken 0" not in METRICS.read_text():
        raise SystemExit("the archive works again, and the metric says otherwise")


main()
