# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The jobs: take a backup of every set, look at all others again, and prove the newest by restoring them."""

from __future__ import annotations

import json
import shutil
import socket
import time
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from evenkeel_backup import cluster, keep, manifest, postgres, repository, seal, sets, sql
from evenkeel_backup.manifest import Artifact, Manifest, Sum
from evenkeel_backup.outcome import BackupError, DamagedError, RemoteError, SpaceError
from evenkeel_backup.remote import Remote
from evenkeel_backup.repository import Backup
from evenkeel_backup.runs import INFO, WARNING, Run, Say
from evenkeel_backup.settings import CLUSTER, Settings, words

ROOM = 1.3  # times the size of the last one
RESTORE_TIMES = "restore.json"


def back_up(settings: Settings, say: Say, names: t.Sequence[str] = ()) -> tuple[str, str]:
    """Back up the sets, or those named: each is taken, looked at with all before it, copied away, and thinned out."""
    run = Run(settings, say)

    def new(name: str) -> None:
        if left_to_leader(settings, name):
            say(INFO, f"{name}: left to the host that leads, which this one copies")
        else:
            take(settings, name, say)

    def one(name: str) -> None:
        # An old backup that is damaged, or cannot be copied, is no reason to go without a new one. And that there is no
        # new one, for want of room perhaps, is no reason to leave the old ones alone.
        run.each(new, [name])
        every = repository.backups(settings.directory, name)
        repository.check(every, time.time(), settings.recheck)
        for other in every:
            if other.marks.damaged:
                run.failed(name, DamagedError(f"{other.path} is damaged: {other.marks.damaged}"))
        repository.forget_clear_files(every)
        if settings.remote:
            run.each(lambda _name: copy_away(settings, name, every, say), [name])
        thin_out(settings, name, every, say)

    run.each(one, names or settings.copied)
    return run.result


def takes_turns(settings: Settings, name: str) -> bool:
    """Whether the set is that of whoever leads; other sets are each host's own."""
    return settings.only_leader and sets.kind(name)[0] == "database"


def left_to_leader(settings: Settings, name: str) -> bool:
    """Whether another host backs the set up, because it leads and this one copies it."""
    if not takes_turns(settings, name):
        return False
    role = postgres.running(settings.postgres_port).ask(sql.ROLE)[0]
    if role == "waits":
        raise BackupError(
            "Postgres neither takes writes nor copies a server that does, so perhaps nobody backs this up; see who "
            "leads (patronictl -c /etc/patroni/config.yml list)"
        )
    return role == "copies"


def most_bytes(settings: Settings, name: str) -> int:
    """How large a backup may become; the reserve stays free whatever happens."""
    place = repository.place(settings.directory, name)
    free = repository.free_bytes(place) - settings.reserve
    good = [backup for backup in repository.backups(settings.directory, name) if backup.good]
    needed = int(good[-1].of.bytes * ROOM * (2 if settings.recipients else 1)) if good else 1
    if free < needed:
        raise SpaceError(
            f"{place} has {max(free, 0)} bytes free beyond the reserve of {settings.reserve}, and a backup needs about "
            f"{needed}; make room, lower backup_keep, or move backup_directory"
        )
    return free


def take(settings: Settings, name: str, say: Say, safety: bool = False) -> Backup:
    room = most_bytes(settings, name)
    began, stamp = repository.free_stamp(settings.directory, name)
    with repository.part(settings.directory, name, stamp) as made:
        facts = sets.dump(settings, name, made, room)
        sets.read(name, made)
        artifacts = tuple(
            artifact(settings, path, room) for path in sorted(made.iterdir()) if path.suffix != manifest.SEALED
        )
        taken = float(facts.pop("taken"))
        of = Manifest(name, stamp, socket.gethostname(), taken, time.time() - began, artifacts, facts, safety)
        backup = repository.publish(made, of)
    say(INFO, f"{name}: {backup.id}, {of.bytes} bytes, read through, in {words(of.seconds)}")
    return backup


def artifact(settings: Settings, path: Path, room: int) -> Artifact:
    sealed: Sum | None = None
    if settings.recipients:
        sealed = repository.sum_of(seal.seal(path, settings.recipients, room))
    return Artifact(path.name, repository.sum_of(path), sealed)


def copy_away(settings: Settings, name: str, every: t.Sequence[Backup], say: Say) -> None:
    """Put there what is missing, and see that all that was put there is there, whole and unchanged."""
    remote = Remote(settings)
    found = remote.listing(name)
    wrong = []
    # What was taken before there were recipients is in clear, and stays here.
    for backup in (backup for backup in every if backup.good and (backup.of.sealed or not settings.recipients)):
        problem = remote.differs(name, backup, found)
        if problem and "remote" in backup.marks.passed:
            wrong.append(f"{remote.where(name, backup.id)}: {problem}; it was put there again")
        if problem:
            remote.put(name, backup)
            still = remote.differs(name, backup, remote.listing(name))
            if still:
                raise RemoteError(f"{remote.where(name, backup.id)} was just written, and {still}")
            say(INFO, f"{name}: {backup.id} is at {remote.where(name)} too")
        if problem or "remote" not in backup.marks.passed:
            backup.mark("remote", time.time())
    if wrong:
        raise DamagedError("; ".join(wrong))


def thin_out(settings: Settings, name: str, every: t.Sequence[Backup], say: Say, dry_run: bool = False) -> keep.Plan:
    plan = keep.plan([backup.as_kept() for backup in every], settings.keep, datetime.now(UTC))
    if plan.stopped:
        say(WARNING, f"{name}: nothing is removed, because {plan.stopped}")
    doomed = [backup for backup in every if backup.id in plan.remove]
    kept = []
    for backup in doomed if not dry_run else ():
        if settings.remote and settings.prune_remote and "remote" in backup.marks.passed:
            try:
                Remote(settings).remove(name, backup.id)
            except RemoteError as exc:  # as long as it is known here, it is tried again
                kept.append(f"{backup.id}: {exc}")
                continue
        repository.remove(backup)
        say(INFO, f"{name}: removed {backup.id}")
    if kept:
        raise RemoteError(f"not removed there, so neither here: {'; '.join(kept)}; see backup_prune_remote")
    return plan


# ---- proof by restore


def newest_good(settings: Settings, name: str) -> Backup:
    newest = repository.newest_good(repository.backups(settings.directory, name))
    if newest is None:
        raise BackupError(f"{name} has no good backup in {settings.directory} to restore")
    return newest


def stage(settings: Settings, name: str, source: Backup | Manifest, place: Path, identity: str) -> None:
    """Put a backup's clear files where the one who restores can read them, and see that they are what was taken."""
    of = source.of if isinstance(source, Backup) else source
    room = repository.free_bytes(settings.work) - settings.reserve
    needed = of.bytes + sets.size_restored(of.facts, of.bytes)
    if room < needed:
        raise SpaceError(f"{settings.work} has {max(room, 0)} bytes free beyond the reserve; a restore needs {needed}")
    bring = shutil.copyfile if sets.is_written_to(name) else repository.lend
    for one in of.artifacts:
        clear = place / one.name
        if isinstance(source, Backup) and (source.path / one.name).exists():
            bring(source.path / one.name, clear)
        else:
            fetch(settings, name, source, one, clear, identity)
        if not repository.holds(clear, one.clear):
            raise DamagedError(f"{name} {of.id}: {one.name} is not what was backed up; try another backup")
    sets.own_by(sets.kind(name)[0], place)


def fetch(settings: Settings, name: str, source: Backup | Manifest, one: Artifact, clear: Path, identity: str) -> None:
    stored, expected = one.stored()
    path = clear.with_name(stored)
    if isinstance(source, Backup):
        repository.lend(source.path / stored, path)
    else:
        with path.open("wb") as file:
            Remote(settings).fetch(name, f"{source.id}/{stored}", file)
    if not repository.holds(path, expected):
        raise DamagedError(f"{name} {source.id}: {stored} is not what was stored; try another backup")
    if one.sealed:
        with clear.open("wb") as file:
            seal.unseal(path, file, identity)
        path.unlink()


def prove(settings: Settings, name: str, source: Backup | Manifest, identity: str) -> None:
    of = source.of if isinstance(source, Backup) else source
    with repository.scratch(settings.work / "test") as place:
        stage(settings, name, source, place, identity)
        sets.prove(name, place, of.facts, settings.work)


def restore_test(settings: Settings, say: Say) -> tuple[str, str]:
    """Restore the newest backup of each set where nobody else is, and compare."""
    run = Run(settings, say)
    times: dict[str, float] = {}

    def one(name: str) -> None:
        if left_to_leader(settings, name):
            return  # proved there
        if takes_turns(settings, name) and not repository.backups(settings.directory, name):
            say(INFO, f"{name}: nothing to prove yet; this host has begun to lead, and its first backup is due")
            return
        if name == CLUSTER:
            times[name] = cluster.restore_test(settings, run)
            return
        backup = newest_good(settings, name)
        began = time.monotonic()
        try:
            prove(settings, name, backup, "")
        except DamagedError as exc:
            backup.condemn(str(exc))
            raise
        times[name] = time.monotonic() - began
        backup.mark("restored", time.time())
        say(INFO, f"{name}: {backup.id} was restored and compared, in {words(times[name])}")

    run.each(one, settings.sets)
    repository.write(settings.work / RESTORE_TIMES, json.dumps(times))
    return run.result


def remote_test(settings: Settings, say: Say, identity: str) -> tuple[str, str]:
    """The same with what is in the remote store, on whatever host: nothing of the first one is needed."""
    run = Run(settings, say)

    def one(name: str) -> None:
        found, unreadable = Remote(settings).manifests(name)
        chosen = found[manifest.choose({of.id: of.safety for of in found.values()}, "latest")]
        if newer := {one: why for one, why in unreadable.items() if one > chosen.id}:
            raise DamagedError(f"what is newer than {chosen.id} is damaged in the store: {newer}")
        prove(settings, name, chosen, identity)
        say(INFO, f"{name}: {chosen.id} was fetched from {settings.remote}, restored and compared")

    run.each(one, settings.copied)
    return run.result
