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
TESTED = Path("/var/lib/evenkeel-backup/jobs/restore-test.json")
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


def newest_backup(repository: int) -> dict[str, t.Any]:
    said = pgbackrest("--stanza=main", f"--repo={repository}", "--output=json", "info")
    backup: dict[str, t.Any] = json.loads(said)[0]["backup"][-1]
    return backup


def segment() -> Path:
    """One that the newest backup needs."""
    return next(REPOSITORY.glob(f"archive/main/*/*/{newest_backup(1)['archive']['start']}-*"))


def lose_what_came_after() -> t.Callable[[], object]:
    """No backup needs it, but who wants to go back to a moment since the newest one. Returns what brings it back."""
    pgbackrest("--stanza=main", "check")  # has WAL written, and waits until it is in the archive
    stop = newest_backup(1)["archive"]["stop"]
    later = [path for path in REPOSITORY.glob(f"archive/main/*/*/{stop[:8]}*-*") if path.name[: len(stop)] > stop]
    lost = min(later)
    held = lost.rename(SAVED.with_name(lost.name))
    return lambda: held.rename(lost)


# What is done, and words of what is to be told of it.
DAMAGES: dict[str, t.Callable[[], object]] = {
    "segments of WAL are missing": lose_what_came_after,
    "checksum invalid: 1": lambda: flip(newest("backup/main/*F/bundle/*")),
    "size invalid: 1|checksum invalid: 1": lambda: run("truncate", "--size=-1", newest("backup/main/*F/bundle/*")),
    "is not in the repository any more": lambda: run("rm", "-r", newest("backup/main/*I")),
    "are whole": lambda: flip(segment()),
    "WAL written meanwhile is missing": lambda: segment().unlink(),
    "repository 2": flip_away,
}
# No copy of the set is damaged then: what is told is all there is.
NO_COPY = ("segments of WAL are missing", "are whole", "repository 2")


def restore_from_both() -> list[str]:
    """The test restore takes turns: one of two cannot read what a backup in the second repository consists of."""
    label = newest_backup(2)["label"]
    manifests = [f"backup/main/{label}/{name}" for name in ("backup.manifest", "backup.manifest.copy")]
    were = {path: pgbackrest("--repo=2", "--raw", "repo-get", path) for path in manifests}
    for path, was in were.items():
        pgbackrest("--repo=2", "--raw", "repo-put", path, put=flipped(was))
    statuses, told = [], ""
    for _repository in (1, 2):
        statuses.append(run("evenkeel-backup", "job", "restore-test", "--wait"))
        told += json.loads(TESTED.read_text())["message"]
    for path, was in were.items():
        pgbackrest("--repo=2", "--raw", "repo-put", path, put=was)
    statuses.append(run("evenkeel-backup", "job", "restore-test", "--wait"))
    wanted = ([0, DAMAGED, 0], [DAMAGED, DAMAGED, 0])
    return [] if statuses in wanted and label in told else [f"restores from both end with {statuses}: {told}"]


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
            # The directory itself is mounted where the server sees it. And what WAL was archived meanwhile stays: it is
            # in nothing that was saved, and would be one more thing to be told of.
            run("find", place, "-mindepth", "1", "-not", "-path", f"{REPOSITORY}/archive*", "-delete")
            run("cp", "--archive", f"{saved}/.", place)
        if callable(repair):
            repair()
    run("rm", "-r", *places.values())
    statuses = {job: run("evenkeel-backup", "job", job, "--wait") for job in ("cluster", "archive")}
    if any(statuses.values()):
        missed.append(f"afterwards the jobs end with {statuses}: {json.loads(RECORD.read_text())['message']}")
    missed += restore_from_both()
    if missed:
        raise SystemExit("; ".join(missed))


main()
