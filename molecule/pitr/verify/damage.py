"""Whatever is damaged in a repository, the next run tells and counts it."""

from __future__ import annotations

import fnmatch
import json
import subprocess
import typing as t
from pathlib import Path

REPOSITORY = Path("/var/lib/pgbackrest")
SAVED = Path("/var/lib/pgbackrest.saved")
KNOWN = Path("/var/backups/evenkeel/cluster")
KNOWN_SAVED = Path("/var/backups/evenkeel/cluster.saved")
METRICS = Path("/var/lib/prometheus/node-exporter/evenkeel_backup.prom")
RECORD = Path("/var/lib/evenkeel-backup/jobs/cluster.json")
DAMAGED = 65


def run(*command: str | Path) -> int:
    return subprocess.run(command, check=False, capture_output=True, cwd="/").returncode


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def flip(path: Path) -> None:
    path.write_bytes(flipped(path.read_bytes()))


def pgbackrest(*words: str, put: bytes | None = None) -> bytes:
    command = ["runuser", "-u", "postgres", "--", "pgbackrest", *words]
    return subprocess.run(command, check=True, input=put, capture_output=True, cwd="/").stdout


def flip_away() -> t.Callable[[], object]:
    """In the second repository, wherever that is. Returns what puts it right again."""
    listed = json.loads(pgbackrest("--repo=2", "--recurse", "--output=json", "repo-ls", "backup/main"))
    path = "backup/main/" + max(fnmatch.filter(listed, "*F/bundle/*"))
    was = pgbackrest("--repo=2", "--raw", "repo-get", path)
    pgbackrest("--repo=2", "--raw", "repo-put", path, put=flipped(was))
    return lambda: pgbackrest("--repo=2", "--raw", "repo-put", path, put=was)


def newest(pattern: str) -> Path:
    return sorted(REPOSITORY.glob(pattern))[-1]


def segment() -> Path:
    """One that the newest backup needs."""
    newest_backup = json.loads(pgbackrest("--stanza=main", "--repo=1", "--output=json", "info"))[0]["backup"][-1]
    return next(REPOSITORY.glob(f"archive/main/*/*/{newest_backup['archive']['start']}-*"))


# What is done, and words of what is to be told of it.
DAMAGES: dict[str, t.Callable[[], object]] = {
    "checksum invalid: 1": lambda: flip(newest("backup/main/*F/bundle/*")),
    "size invalid: 1|checksum invalid: 1": lambda: run("truncate", "--size=-1", newest("backup/main/*F/bundle/*")),
    "is not in the repository any more": lambda: run("rm", "-r", newest("backup/main/*I")),
    "are whole": lambda: flip(segment()),
    "WAL written meanwhile is missing": lambda: segment().unlink(),
    "repository 2": flip_away,
}
NO_COPY = ("are whole", "repository 2")  # of the set is damaged then: what is told is all there is


def main() -> None:
    while not list(REPOSITORY.glob("backup/main/*I")):
        if run("evenkeel-backup", "job", "cluster", "--wait") != 0:
            raise SystemExit("a backup fails before anything is damaged")
    places = {REPOSITORY: SAVED, KNOWN: KNOWN_SAVED}
    for place, saved in places.items():
        run("cp", "--archive", place, saved)
    missed = []
    for words, damage in DAMAGES.items():
        repair = damage()
        status = run("evenkeel-backup", "job", "cluster", "--wait")
        told = json.loads(RECORD.read_text())["message"]
        text = METRICS.read_text()
        counted = 'copies{set="cluster",state="damaged"} 0' not in text or words in NO_COPY
        if status != DAMAGED or f'exit_code{{job="cluster"}} {DAMAGED}' not in text or not counted:
            missed.append(f"{words}: status {status}, counted {counted}")
        if not any(word in told for word in words.split("|")):
            missed.append(f"{words} is not told by {told}")
        for place, saved in places.items():
            # The directory itself is mounted where the server sees it.
            run("find", place, "-mindepth", "1", "-delete")
            run("cp", "--archive", f"{saved}/.", place)
        if callable(repair):
            repair()
    run("rm", "-r", *places.values())
    if missed:
        raise SystemExit("; ".join(missed))
    # The WAL of meanwhile was not in what was saved, which the first run tells.
    statuses = [run("evenkeel-backup", "job", "cluster", "--wait") for _run in range(2)]
    if statuses != [DAMAGED, 0] or run("evenkeel-backup", "job", "archive", "--wait") != 0:
        raise SystemExit(f"afterwards the jobs end with {statuses}")


main()
