# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Back up what /etc/evenkeel-backup.json names, and prove each backup before it counts.

A backup is written as *.part, read through, summed, and only then given its name: a file with a name is good.
Exit status: 0 all well, 1 something failed, 75 another run holds the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

CONFIG = Path("/etc/evenkeel-backup.json")
STAMP = "%Y%m%dT%H%M%SZ"
KEEP_AT_LEAST = 3
EX_TEMPFAIL = 75


@dataclass(frozen=True)
class Source:
    """One thing to back up: the command that writes it out, and the one that reads the result through."""

    name: str  # also its directory
    suffix: str
    dump: t.Sequence[str]
    read: t.Sequence[str]


@dataclass
class Result:
    source: str
    ok: bool = False
    file: str = ""
    bytes: int = 0
    sha256: str = ""
    error: str = ""
    removed: list[str] = field(default_factory=list)


def sources(databases: t.Iterable[str]) -> list[Source]:
    found = [
        Source(
            f"database/{name}",
            ".dump",
            ["pg_dump", "--format=custom", f"--dbname={name}"],
            # Reads every byte of the data; the listing alone would accept a dump cut short.
            ["pg_restore", "--file=/dev/null"],
        )
        for name in databases
    ]
    ending = "PostgreSQL database cluster dump complete"
    found.append(Source("globals", ".sql", ["pg_dumpall", "--globals-only"], ["grep", "--quiet", ending]))
    return found


def expired(names: t.Iterable[str], now: datetime, keep_days: int) -> list[str]:
    """The backups of one source that may go: older than keep_days and not among the newest.

    A name that is not one of ours is neither counted nor removed.
    """
    taken = sorted((when, name) for name in names if (when := taken_at(name)) is not None)
    limit = now - timedelta(days=keep_days)
    return [name for when, name in taken[:-KEEP_AT_LEAST] if when < limit]


def taken_at(name: str) -> datetime | None:
    stamp, _dot, suffix = name.partition(".")
    if suffix not in ("dump", "sql"):
        return None
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def run(command: t.Sequence[str], stdin: t.IO[bytes] | int, stdout: t.IO[bytes] | int) -> None:
    """Run as the database's own user, who needs no password and cannot open the backups."""
    done = subprocess.run(
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        user="postgres",
        group="postgres",
        extra_groups=[],
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "it said nothing"
        raise ValueError(f"{command[0]} failed with status {done.returncode}: {said}")


def back_up(source: Source, place: Path, stamp: str, result: Result) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for leftover in place.glob("*.part"):  # of a run that was killed: the lock is ours
        leftover.unlink()
    final = place / f"{stamp}{source.suffix}"
    part = place / f"{final.name}.part"
    try:
        with part.open("w+b") as file:
            run(source.dump, subprocess.DEVNULL, file)
            os.fsync(file.fileno())
            result.bytes = file.seek(0, os.SEEK_END)
            if result.bytes == 0:
                raise ValueError(f"{source.dump[0]} wrote nothing")
            file.seek(0)
            run(source.read, file, subprocess.DEVNULL)
            file.seek(0)
            result.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        Path(f"{final}.sha256").write_text(f"{result.sha256}  {final.name}\n", encoding="ascii")
        part.rename(final)
        result.file = str(final)
    finally:
        part.unlink(missing_ok=True)


def expire(place: Path, now: datetime, keep_days: int) -> list[str]:
    gone = expired((path.name for path in place.iterdir()), now, keep_days)
    for name in gone:
        (place / name).unlink()
        (place / f"{name}.sha256").unlink(missing_ok=True)
    return gone


def main() -> int:
    os.umask(0o077)
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    root = Path(config["directory"])
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"<4>another backup holds {root}/.lock; this run did nothing")
            return EX_TEMPFAIL
        return back_up_all(root, config["databases"], config["keep_days"])


def back_up_all(root: Path, databases: t.Sequence[str], keep_days: int) -> int:
    started = datetime.now(UTC)
    results = []
    for source in sources(databases):
        result = Result(source.name)
        place = root / source.name
        try:
            back_up(source, place, started.strftime(STAMP), result)
            result.removed = expire(place, started, keep_days)  # where the backup failed, all the old ones stay
            result.ok = True
            print(f"<6>{source.name}: {result.bytes} bytes, read through; removed {len(result.removed)} old ones")
        except (OSError, ValueError) as exc:
            result.error = str(exc)
            print(f"<3>{source.name}: {exc}; new backup: {result.file or 'none'}")
        results.append(result)
    write_status(root, started, results)
    return 0 if all(result.ok for result in results) else 1


def write_status(root: Path, started: datetime, results: t.Sequence[Result]) -> None:
    finished = datetime.now(UTC)
    status = {
        "ok": all(result.ok for result in results),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((finished - started).total_seconds(), 1),
        "results": [asdict(result) for result in results],
    }
    part = root / "status.json.part"
    part.write_text(json.dumps(status, indent=2) + "\n", encoding="utf-8")
    part.rename(root / "status.json")


if __name__ == "__main__":
    sys.exit(main())
