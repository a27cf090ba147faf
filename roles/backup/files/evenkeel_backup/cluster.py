# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The set `cluster`: all databases of the server, backed up by pgBackRest, with the WAL that is written in between.

What is known of each backup lies where that of other sets does; only the data is in pgBackRest's repositories.
"""

from __future__ import annotations

import json
import re
import socket
import time
import typing as t
from dataclasses import asdict, replace
from datetime import UTC, datetime

from evenkeel_backup import pgbackrest, postgres, repository, sql, wal
from evenkeel_backup.manifest import Manifest
from evenkeel_backup.outcome import BackupError, DamagedError, SpaceError
from evenkeel_backup.repository import Backup
from evenkeel_backup.runs import INFO, WARNING, Run, Say
from evenkeel_backup.settings import CLUSTER, Settings, words
from evenkeel_backup.wal import Archive, Physical, Proof

ARCHIVE = "archive.json"
PROOFS = "proofs.json"
FIRST = 1  # of pgBackRest's repositories, the one on this host


def back_up(settings: Settings, say: Say) -> tuple[str, str]:
    """One more backup in each repository; then each is read through, and thinned out."""
    run = Run(settings, say)

    def one(name: str) -> None:
        number = int(name.rpartition(" ")[2])
        run.each(lambda _name: take(settings, number, say), [name])
        look_through(settings, number, run, name)
        thin_out(settings, number, say)

    if postgres.running(settings.postgres_port).ask(sql.RECOVERING) == ["t"]:
        raise BackupError("this server is a replica; back_up its primary, in whose archive the WAL is")
    run.each(one, [f"{CLUSTER}, repository {number}" for number in settings.repositories])
    return run.result


def good(settings: Settings, number: int) -> list[Physical]:
    """The backups of a repository that nothing is known to be wrong with, oldest first."""
    damaged = {known.of.facts["label"] for known in catalogue(settings) if known.marks.damaged}
    return [found for found in pgbackrest.info(number).backups if not damaged & {found.label, *found.needs}]


def catalogue(settings: Settings) -> list[Backup]:
    """What is known of the backups in the first repository."""
    return [known for known in repository.backups(settings.directory, CLUSTER) if known.manifest]


def take(settings: Settings, number: int, say: Say) -> None:
    kind = "full" if wal.is_due(good(settings, number), time.time(), settings.full_every) else "incr"
    began = time.monotonic()
    pgbackrest.run("backup", f"--type={kind}", repository=number)
    say(INFO, f"{CLUSTER}: repository {number} has one more backup ({kind}), in {words(time.monotonic() - began)}")


def look_through(settings: Settings, number: int, run: Run, name: str) -> None:
    """Read every byte of every backup and of the WAL, and see that none is missing."""
    size = int(postgres.running(settings.postgres_port).ask(sql.SEGMENT)[0])
    said, elsewhere = pgbackrest.verify(number)
    there = pgbackrest.info(number)
    gone = wal.missing(pgbackrest.segments(number, there.archives), there.backups, size)
    problems = {
        found.label: "WAL written meanwhile is missing"
        if wal.lacks(found, gone, size)
        else said.get(found.label, "it is listed, but not there")
        for found in there.backups
    }
    for label, problem in problems.items():
        if problem:
            run.failed(name, DamagedError(f"{label} is damaged: {problem}"))
    if elsewhere:
        run.failed(name, DamagedError(elsewhere))
    for before in there.backups[-2:-1]:
        lost = [at for at in gone.get(before.timeline, []) if at > wal.number(before.stop, size)]
        if lost:
            # Told once: the newest backup begins behind the gap, and what comes after it can be gone back to.
            run.failed(name, DamagedError(f"since {before.label} {len(lost)} segments of WAL are missing"))
    if number == FIRST:
        for label in remember(settings, there.backups, problems):
            run.failed(name, DamagedError(f"{label} is not in the repository any more"))
    elif there.backups and not any(problems.values()) and not elsewhere:
        for known in catalogue(settings)[-1:]:
            known.mark("remote", time.time())


def remember(settings: Settings, there: tuple[Physical, ...], problems: dict[str, str]) -> list[str]:
    """Note what is there and how it is; say what was there before and is not any more."""
    known = {backup.of.facts["label"]: backup for backup in catalogue(settings)}
    for found in there:
        backup = known.pop(found.label, None) or publish(settings, found)
        if problems[found.label] and not backup.marks.damaged:
            backup.condemn(problems[found.label])
    gone = {label: backup for label, backup in known.items() if not backup.marks.damaged}
    for label, backup in known.items():
        if label in gone:
            backup.condemn("it is not in the repository any more")
        else:
            repository.remove(backup)  # that was told before, or somebody has taken away what was damaged
    return list(gone)


def publish(settings: Settings, found: Physical) -> Backup:
    facts = {"label": found.label, "needs": found.needs, "bytes": found.bytes, "start": found.start, "stop": found.stop}
    seconds = found.stopped - found.began
    of = Manifest(CLUSTER, found.id, socket.gethostname(), found.stopped, seconds, (), facts, elsewhere=found.bytes)
    with repository.part(settings.directory, CLUSTER, found.id) as made:
        return repository.publish(made, of)


def thin_out(settings: Settings, number: int, say: Say, dry_run: bool = False) -> list[str]:
    """Have pgBackRest remove the full backups that may go, with all that is built upon them and the WAL before them."""
    whole = {found.label for found in good(settings, number)}
    there = pgbackrest.info(number).backups
    keep, stopped = wal.fulls_to_keep(
        [(found, found.label in whole) for found in there], settings.keep.daily, datetime.now(UTC)
    )
    if stopped:
        say(WARNING, f"{CLUSTER}: nothing is removed, because {stopped}")
    fulls = [found.label for found in there if not found.needs]
    doomed = set(fulls[: len(fulls) - keep])
    if not doomed or stopped:
        return []
    gone = [found.label for found in there if found.base in doomed]
    if not dry_run:
        pgbackrest.run("expire", f"--repo{number}-retention-full={keep}", repository=number)
        for known in catalogue(settings) if number == FIRST else []:
            if known.of.facts["label"] in gone:
                repository.remove(known)
        say(INFO, f"{CLUSTER}: removed {', '.join(gone)} from repository {number}")
    return gone


# ---- proof by restore


def restore_test(settings: Settings, run: Run) -> float:
    """Restore from the repository whose turn it is; how many seconds that takes from the slowest of all."""

    def one(name: str) -> None:
        number = int(name.rpartition(" ")[2])
        began, before = time.time(), last_proofs(settings)
        # Until it is done it has failed: it may be killed.
        note(settings, {**before, number: replace(before[number], tried=began, failed=True)})
        prove_newest(settings, number, run.say)
        note(settings, {**before, number: Proof(began, time.time() - began)})

    run.each(one, [f"{CLUSTER}, repository {number}" for number in wal.to_prove(last_proofs(settings))])
    return max(proof.seconds for proof in last_proofs(settings).values())


def last_proofs(settings: Settings) -> dict[int, Proof]:
    try:
        known = json.loads((settings.work / PROOFS).read_text(encoding="utf-8"))
        return {number: Proof(**known.get(str(number), {})) for number in settings.repositories}
    except (OSError, ValueError, TypeError, AttributeError):
        return {number: Proof() for number in settings.repositories}


def note(settings: Settings, proofs: t.Mapping[int, Proof]) -> None:
    repository.write(settings.work / PROOFS, json.dumps({number: asdict(proof) for number, proof in proofs.items()}))


def prove_newest(settings: Settings, number: int, say: Say) -> None:
    backups = good(settings, number)
    if not backups:
        raise BackupError(f"it has no good backup to restore; take one: evenkeel-backup job {CLUSTER}")
    newest = backups[-1]
    known = [one for one in catalogue(settings) if one.of.facts["label"] == newest.label]  # none of other repositories
    try:
        prove(settings, number, newest, say)
    except DamagedError as exc:
        for one in known:
            one.condemn(str(exc))
        raise
    for one in known:
        one.mark("restored", time.time())


def prove(settings: Settings, number: int, backup: Physical, say: Say) -> None:
    """Restore a backup with all the WAL there is, on a server of its own, and look at tables and indexes."""
    place = settings.work / "throwaway"
    room = repository.free_bytes(settings.work) - settings.reserve
    if room < backup.bytes:
        raise SpaceError(
            f"{settings.work} has {max(room, 0)} bytes free beyond the reserve; a restore needs {backup.bytes}"
        )
    began = time.monotonic()
    with postgres.scratch(place) as data:
        how = ["--type=default", "--archive-mode=off", f"--tablespace-map-all={place}/tablespaces"]
        restore(data, backup.label, number, *how)
        with postgres.guest(data, place, postgres.HASTY) as server:
            databases = server.ask(sql.DATABASES)
            server.run("pg_amcheck", "--install-missing", "--heapallindexed", "--all")
    held = f"{backup.label} and the WAL since hold {', '.join(databases)}"
    say(INFO, f"{CLUSTER}, repository {number}: {held}; restored and looked at in {words(time.monotonic() - began)}")


def restore(data: object, label: str, number: int, *how: str) -> None:
    try:
        pgbackrest.run("restore", f"--pg1-path={data}", f"--set={label}", *how, repository=number)
    except BackupError as exc:
        raise DamagedError(f"{label} cannot be restored: {exc}") from exc


# ---- the WAL on its way


def watch(settings: Settings, say: Say) -> tuple[str, str]:
    """See that what is written is archived, and write down how far behind that is."""
    server = postgres.running(settings.postgres_port)
    seen = on_its_way(server)
    outcome, problem = "failed", unarchived(seen)
    try:
        if not problem:
            begin(settings, server)
            seen = on_its_way(server)
            problem = wal.problem(seen["lag"], seen["timeout"], seen["failing"] or "", settings.rpo)
        if not problem:
            problem = dropped(settings, seen["last"] or "")
    except BackupError as exc:
        outcome, problem = exc.outcome, str(exc)
    good_at = last_seen(settings).good if problem else time.time()
    found = Archive(good_at, seen["timeout"], seen["waiting"] * seen["segment"], seen["lag"], problem)
    repository.write(settings.work / ARCHIVE, json.dumps(asdict(found)))
    if problem:
        say(WARNING, f"{CLUSTER}: {problem}")
        return outcome, f"{CLUSTER}: {problem}"
    return "ok", ""


def on_its_way(server: postgres.Server) -> dict[str, t.Any]:
    return dict(json.loads(server.ask(sql.ARCHIVE)[0]))


def begin(settings: Settings, server: postgres.Server) -> None:
    """Have each repository take WAL, but not that of a server which only stands where another was."""
    ours = int(server.ask(sql.SYSTEM)[0])
    systems = {number: pgbackrest.info(number).system for number in settings.repositories}
    for number, system in systems.items():
        if system not in (0, ours):
            raise BackupError(
                f"repository {number} is that of another server: its system identifier is {system}, and that of the "
                f"one here {ours}. If the one here was made anew, have the other restored over it: "
                f"evenkeel-backup restore {CLUSTER}{' --remote' if number != FIRST else ''}. Otherwise give it a "
                "repository of its own"
            )
    if 0 in systems.values():  # only then: it fails while a backup is being taken
        pgbackrest.run("stanza-create")
        pgbackrest.run("check")  # Postgres has tried before, and failed; now it tries again


def unarchived(seen: t.Mapping[str, t.Any]) -> str:
    """Whether the server hands nothing over; what an empty command or /bin/true is given, it counts as archived."""
    if seen["mode"] != "off" and f"--stanza={pgbackrest.STANZA}" in seen["command"]:
        return ""
    return (
        f"Postgres archives nothing by pgBackRest: archive_mode is {seen['mode']}, archive_command "
        f"'{seen['command']}'; set postgres_archive, and let the server restart once by postgres_allow_restart"
    )


def dropped(settings: Settings, segment: str) -> str:
    """What Postgres counts as archived and a repository has not: it was let go because too much was waiting."""
    if not re.fullmatch("[0-9A-F]{24}", segment):
        return ""
    lacking = [
        number
        for number in settings.repositories
        if segment not in pgbackrest.segments(number, [f"{pgbackrest.info(number).archives[-1]}/{segment[:16]}"])
    ]
    if not lacking:
        return ""
    return (
        f"{segment} counts as archived and is not in repository {' and '.join(map(str, lacking))}: more than "
        f"backup_archive_queue was waiting, so it was let go. Until evenkeel-backup job {CLUSTER} has taken the next "
        "backup, nothing since can be gone back to"
    )


def last_seen(settings: Settings) -> Archive:
    try:
        return Archive(**json.loads((settings.work / ARCHIVE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Archive()
