"""Damage backups in every way we could think of; each has to be found by the next run, and its metric set by then."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

CONFIG = Path("/etc/evenkeel-backup.json")
OTHER = Path("/run/evenkeel-verify.json")
ROOT = Path("/var/backups/evenkeel-verify")
WORK = Path("/var/lib/evenkeel-backup-verify")
METRICS = WORK / "metrics/evenkeel_backup.prom"
DUMP, SET = "notes.dump", "database/notes"


def run(job: str) -> int:
    return subprocess.run(["evenkeel-backup", "--settings", str(OTHER), "job", job], check=False).returncode


def configure() -> None:
    """The program as it is, with a place of its own and the database alone."""
    settings = json.loads(CONFIG.read_text())
    settings.update(directory=str(ROOT), work=str(WORK), metrics=str(METRICS.parent), redis=False, files=[], remote="")
    OTHER.write_text(json.dumps({**settings, "recipients": []}))


def metric(name: str) -> float:
    lines = [line.rpartition(" ") for line in METRICS.read_text().splitlines()]
    return next(float(value) for key, _space, value in lines if key == name)


def newest() -> Path:
    return max(path for path in (ROOT / SET).iterdir() if not path.name.endswith(".part"))


def truncate(path: Path, to: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * to)] if to < 1 else data[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rewrite(folder: Path, change: t.Callable[[dict[str, t.Any]], None]) -> None:
    """Let the manifest agree with what lies there, as if it had been taken like that."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    for artifact in manifest["artifacts"]:
        data = (folder / artifact["name"]).read_bytes()
        artifact["clear"] = {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "md5": hashlib.md5(data).hexdigest(),
        }
    path.write_text(json.dumps(manifest))


def uncompressed(folder: Path) -> None:
    command = ["runuser", "-u", "postgres", "--", "pg_dump", "--format=custom", "--compress=0", "notes"]
    (folder / DUMP).write_bytes(subprocess.run(command, check=True, capture_output=True, cwd="/").stdout)
    rewrite(folder, lambda _manifest: None)
    flip(folder / DUMP)


def without_role(folder: Path) -> None:
    path = folder / "globals.sql"
    path.write_text("".join(line for line in path.open() if " notes" not in line))
    rewrite(folder, lambda _manifest: None)


def other_rows(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest["facts"]["rows"].update({"public.items": 1}))


IN_PLACE: dict[str, t.Callable[[Path], None]] = {
    "one byte cut off": lambda folder: truncate(folder / DUMP, 1),
    "a third cut off": lambda folder: truncate(folder / DUMP, 0.7),
    "a bit flipped": lambda folder: flip(folder / DUMP),
    "a bit flipped in an uncompressed dump": uncompressed,
    "emptied": lambda folder: (folder / DUMP).write_bytes(b""),
    "deleted": lambda folder: (folder / DUMP).unlink(),
    "manifest gone": lambda folder: (folder / "manifest.json").unlink(),
}
BY_RESTORE: dict[str, t.Callable[[Path], None]] = {"a role missing": without_role, "rows missing": other_rows}

# What a producer may do to us: end with an error after half of its work, or with none.
ASKED_FOR_MORE = 'case "$*" in *--format*) ;; *) exec "$0.real" "$@" ;; esac'
SHIMS = {
    "a producer that fails": '"$0.real" "$@" | head -c 1000; echo no more >&2; exit 1',
    "a producer that lies": '"$0.real" "$@" | head -c 1000; exit 0',
    "a producer that says nothing": "exit 0",
}


def found(case: str, job: str, status: int, damaged: bool) -> list[str]:
    problems = [] if status else [f"{case}: {job} ended with status 0"]
    if metric(f'evenkeel_job_exit_code{{job="{job}"}}') != status:
        problems.append(f"{case}: the metric is not that of status {status}")
    if damaged and metric(f'evenkeel_backup_copies{{set="{SET}",state="damaged"}}') < 1:
        problems.append(f"{case}: no damaged backup is counted")
    return problems


def good_runs() -> list[str]:
    """Fifty, none of which is to raise an alarm; every tenth backup is restored besides."""
    problems = []
    for number in range(1, 51):
        for job in ("backup", "restore-test") if number % 10 == 0 else ("backup",):
            status = run(job)
            told = metric(f'evenkeel_job_exit_code{{job="{job}"}}')
            damaged = metric(f'evenkeel_backup_copies{{set="{SET}",state="damaged"}}')
            if (status, told, damaged) != (0, 0, 0):
                problems.append(f"good run {number}: {job} ended with {status}, {damaged} backups count as damaged")
    return problems


def main() -> None:
    configure()
    problems = good_runs()
    for case, damage in IN_PLACE.items():
        damage(folder := newest())
        problems += found(case, "backup", run("backup"), damaged=True)
        shutil.rmtree(folder)
    for case, damage in BY_RESTORE.items():
        run("backup")
        damage(folder := newest())
        problems += found(case, "restore-test", run("restore-test"), damaged=False)
        shutil.rmtree(folder)
    run("backup")
    program = next(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    real = program.rename(program.with_name("pg_dump.real"))
    try:
        before = newest()
        for case, script in SHIMS.items():
            program.write_text(f"#!/bin/sh\n{ASKED_FOR_MORE}\n{script}\n")
            program.chmod(0o755)
            problems += found(case, "backup", run("backup"), damaged=False)
            if newest() != before:
                problems.append(f"{case}: there is a new backup")
    finally:
        real.rename(program)
    if run("backup") or run("restore-test"):
        problems.append("after all that, a good run failed")
    for path in (ROOT, WORK):
        shutil.rmtree(path)
    OTHER.unlink()
    print(json.dumps({"cases": len(IN_PLACE) + len(BY_RESTORE) + len(SHIMS), "problems": problems}))
    sys.exit(bool(problems))


main()
