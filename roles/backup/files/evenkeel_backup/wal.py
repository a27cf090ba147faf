# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Physical backups and the WAL between them: what pgBackRest says of them, and what follows from it."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from evenkeel_backup import keep, manifest

XLOG_ID = 1 << 32  # bytes of WAL that share the middle third of a segment's name


@dataclass(frozen=True)
class Physical:
    """A backup as `pgbackrest info` has it; times in seconds since 1970."""

    label: str
    began: float
    stopped: float
    bytes: int  # as large as it is when it is restored
    start: str  # the first segment of WAL it needs
    stop: str  # and the last
    needs: tuple[str, ...] = ()  # the backups it is built upon

    @property
    def id(self) -> str:
        return manifest.stamp(self.stopped)

    @property
    def timeline(self) -> int:
        return int(self.start[:8], 16)

    @property
    def base(self) -> str:
        """The full backup that it stands and falls with."""
        return self.label.partition("_")[0]


@dataclass(frozen=True)
class Repository:
    """One of pgBackRest's repositories."""

    backups: tuple[Physical, ...] = ()
    archives: tuple[str, ...] = ()  # directories with WAL, the newest last
    system: int = 0  # the identifier of the server it is of


def parse_info(text: str) -> Repository:
    """What `pgbackrest info --output=json` says of a stanza in one repository."""
    try:
        stanzas: list[dict[str, t.Any]] = json.loads(text)
        if stanzas == [] or not stanzas[0]["db"]:
            return Repository()
        stanza = stanzas[0]
        backups = tuple(
            Physical(
                label=one["label"],
                began=one["timestamp"]["start"],
                stopped=one["timestamp"]["stop"],
                bytes=one["info"]["size"],
                start=one["archive"]["start"],
                stop=one["archive"]["stop"],
                needs=tuple(one["reference"] or ()),
            )
            for one in stanza["backup"]
            if not one["error"]
        )
        archives = tuple(one["id"] for one in stanza["archive"])
        return Repository(backups, archives, int(stanza["db"][-1]["system-id"]))
    except (ValueError, TypeError, KeyError, IndexError) as exc:
        raise ValueError(f"pgbackrest info says what this program cannot read: {exc!r}") from exc


def parse_verify(text: str) -> tuple[dict[str, str], str]:
    """What is wrong with each backup, nothing where it is valid, and what is wrong beside them.

    The exit status says nothing, and a backup whose directory is gone is not among them.
    """
    backups: dict[str, str] = {}
    elsewhere = []
    lines = [line.strip() for line in text.splitlines()]
    for line, below in pairwise([*lines, ""]):
        found = re.match(r"backup: (\S+), status: ([^,]+)", line)
        if found:
            backups[found[1]] = "" if found[2] == "valid" else f"{found[2]}, {below}"
        wal = re.match(r"archiveId: (\S+), total WAL checked: (\d+), total valid WAL: (\d+)", line)
        if wal and wal[2] != wal[3]:
            elsewhere.append(f"of {wal[2]} segments of WAL in {wal[1]} only {wal[3]} are whole: {below}")
    if "status: ok" not in lines and not elsewhere and not any(backups.values()):
        elsewhere.append(" ".join(line for line in lines if line) or "it said nothing")
    return backups, "; ".join(elsewhere)


def number(segment: str, size: int) -> int:
    """How many segments come before one of its timeline."""
    return int(segment[8:16], 16) * (XLOG_ID // size) + int(segment[16:24], 16)


def missing(found: t.Iterable[str], backups: t.Iterable[Physical], size: int) -> dict[int, list[int]]:
    """By timeline, the numbers of the segments that lie between the others and are not there."""
    there: dict[int, set[int]] = {}
    for segment in found:
        there.setdefault(int(segment[:8], 16), set()).add(number(segment, size))
    wanted = {timeline: set(numbers) for timeline, numbers in there.items()}
    for backup in backups:
        wanted.setdefault(backup.timeline, set()).update((number(backup.start, size), number(backup.stop, size)))
    return {
        timeline: gone
        for timeline, ends in wanted.items()
        if (gone := [at for at in range(min(ends), max(ends) + 1) if at not in there.get(timeline, ())])
    }


def lacks(backup: Physical, gone: t.Mapping[int, t.Iterable[int]], size: int) -> bool:
    """Whether a backup cannot be made consistent, because WAL that was written meanwhile is not there."""
    first, last = number(backup.start, size), number(backup.stop, size)
    return any(first <= at <= last for at in gone.get(backup.timeline, ()))


def is_due(good: t.Sequence[Physical], now: float, apart: float) -> bool:
    """Whether the next backup is to be full: none to build upon is whole, or the newest such is old enough."""
    bases = {backup.label: backup for backup in good if not backup.needs}
    newest = max((backup.began for backup in bases.values()), default=0)
    # A schedule is never exact to the second.
    return now - newest > apart - 600


def fulls_to_keep(kept: t.Sequence[tuple[Physical, bool]], days: int, now: datetime) -> tuple[int, str]:
    """How many of the newest full backups stay, so that any moment of so many days can be gone back to.

    kept: the backups, oldest first, and whether each was verified. Three that were stay whatever is asked for; where
    clock or history look wrong all stay, and the second value says why.
    """
    fulls = [(backup, verified) for backup, verified in kept if not backup.needs]
    history = [
        keep.Backup(backup.id, datetime.fromtimestamp(backup.stopped, UTC), verified, backup.bytes)
        for backup, verified in kept
    ]
    stopped = keep.wrong(history, now)
    if stopped:
        return len(fulls), stopped
    begin = (now - timedelta(days=days)).timestamp()
    verified_kept = 0
    for number_kept, (backup, verified) in enumerate(reversed(fulls), start=1):
        verified_kept += verified
        if verified and backup.stopped < begin and verified_kept >= keep.AT_LEAST:
            return number_kept, ""
    return len(fulls), ""


@dataclass(frozen=True)
class Target:
    """Which backup is restored, and to which moment its WAL is replayed."""

    backup: Physical
    kind: str  # what pgBackRest calls the type
    reaches: float  # the moment up to which it certainly comes
    moment: str = ""


def choose(good: t.Sequence[Physical], wanted: str, lineage: t.Collection[int], now: float) -> Target:
    """The target that `latest`, the id or label of a backup, or a time stands for.

    lineage: the timelines that the live server has come through; none where that is not known. What a restore has given
    up since is on others.
    """
    mine = [backup for backup in good if not lineage or backup.timeline in lineage]
    for backup in good:
        if wanted in (backup.id, backup.label):
            return Target(backup, "immediate", backup.stopped)
    if not mine:
        raise ValueError("there is no good backup to restore from")
    if wanted == "latest":
        return Target(mine[-1], "default", mine[-1].stopped)
    try:
        when = datetime.fromisoformat(wanted)
    except ValueError:
        known = ", ".join(backup.id for backup in good)
        raise ValueError(f"'{wanted}' is neither latest, nor a good backup, nor a time; there are: {known}") from None
    when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    if when.timestamp() > now:
        raise ValueError(f"{wanted} is yet to come; the host's clock says {datetime.fromtimestamp(now, UTC):%FT%TZ}")
    older = [backup for backup in mine if backup.stopped < when.timestamp()]
    if not older:
        oldest = datetime.fromtimestamp(mine[0].stopped, UTC)
        raise ValueError(f"no backup is as old as {wanted}; what can be gone back to begins after {oldest:%FT%TZ}")
    return Target(older[-1], "time", when.timestamp(), f"{when:%Y-%m-%d %H:%M:%S.%f+00}")


def lineage(timeline: int, history: str) -> set[int]:
    """The timelines that a server has come through, from the history file of the one it is on."""
    before = {int(line.split()[0]) for line in history.splitlines() if line.strip() and not line.startswith("#")}
    return {timeline, *before}


def control(text: str) -> dict[str, str]:
    """What pg_controldata prints."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _colon, value in pairs}


def limits(known: t.Mapping[str, str]) -> dict[str, str]:
    """The settings that a server needs at least to replay this WAL and be read meanwhile."""
    names = {
        "max_connections": "max_connections",
        "max_worker_processes": "max_worker_processes",
        "max_wal_senders": "max_wal_senders",
        "max_prepared_transactions": "max_prepared_xacts",
        "max_locks_per_transaction": "max_locks_per_xact",
    }
    return {name: known[f"{said} setting"] for name, said in names.items() if f"{said} setting" in known}


@dataclass(frozen=True)
class Archive:
    """How it goes with the WAL that is to be archived."""

    good: float = 0  # when it was last seen without a problem
    timeout: float = 0  # after which a segment is archived even if it is not full
    waiting: int = 0  # bytes
    lag: float = 0  # seconds since the oldest of them were written
    problem: str = ""

    def loss(self, now: float) -> float:
        """How much would be lost if the host died now."""
        return self.timeout + (max(self.lag, now - self.good) if self.problem or not self.good else self.lag)


@dataclass(frozen=True)
class Proof:
    """The last restore from a repository that was made to see whether it can be."""

    tried: float = 0  # when it began, in seconds since 1970
    seconds: float = 0  # that the last good one took
    failed: bool = False


def to_prove(proofs: t.Mapping[int, Proof]) -> list[int]:
    """The repositories from which the last restore failed, and of the others the one that was tried longest ago."""
    failed = [number for number, proof in proofs.items() if proof.failed]
    others = [number for number in proofs if number not in failed]
    return failed + sorted(others, key=lambda number: proofs[number].tried)[:1]


def problem(lag: float, timeout: float, failing: str, rpo: float) -> str:
    """Why the archive cannot be trusted to be as new as it should be; nothing if it can."""
    if failing:
        return f"{failing} could not be archived, and what is written since is not safe; see Postgres' log"
    limit = max(3 * timeout, 60)
    if lag > (min(limit, rpo) if rpo else limit):
        return f"WAL waits for {round(lag)} s to be archived; see Postgres' log and the load of the host"
    return ""
