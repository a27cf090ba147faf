# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores that are made beside what is live, and switched in one step that can be undone.

Whoever is killed where: what was live is live, or what was restored is. A restore that was cut short is begun again,
and what the first one left beside is removed.
"""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import asdict
from pathlib import Path

from evenkeel_backup import backup, manifest, postgres, repository, restore_database, restore_directory, sets, sql
from evenkeel_backup.manifest import Manifest
from evenkeel_backup.outcome import BackupError, SpaceError
from evenkeel_backup.remote import Remote
from evenkeel_backup.restore_report import Report, Restore, Step, Undone
from evenkeel_backup.runs import INFO, WARNING, Say
from evenkeel_backup.settings import Settings

MARGIN = 1.2  # of the recorded size has to be free


# ---- which backup


def find(settings: Settings, name: str, wanted: str, remote: bool) -> repository.Backup | Manifest:
    """The backup that `latest`, an id or a time stands for; only good ones are offered."""
    try:
        if remote:
            away, unreadable = Remote(settings).manifests(name)
            if wanted in unreadable:
                raise BackupError(f"{name}: {wanted} is damaged in the store: {unreadable[wanted]}")
            return away[manifest.choose({of.id: of.safety for of in away.values()}, wanted)]
        good = {found.id: found for found in repository.backups(settings.directory, name) if found.good}
        return good[manifest.choose({found.id: found.of.safety for found in good.values()}, wanted)]
    except ValueError as exc:
        raise BackupError(f"{name}: {exc}") from exc


def plan(settings: Settings, name: str, wanted: str, remote: bool) -> dict[str, t.Any]:
    """What would be restored over what; touches nothing."""
    source = find(settings, name, wanted, remote)
    of = source.of if isinstance(source, repository.Backup) else source
    return {
        "set": name,
        "id": of.id,
        "host": of.host,
        "taken": of.taken,
        "age": time.time() - of.taken,
        "bytes": of.bytes,
        "encrypted": of.sealed,
        "live": live(settings, name),
    }


def live(settings: Settings, name: str) -> dict[str, t.Any]:
    of, what = sets.kind(name)
    if of != "database":
        return {}
    server = postgres.running(settings.postgres_port)
    said = server.ask(sql.LIVE.format(name=sql.literal(what)))
    return dict(json.loads(said[0])) if said else {}


# ---- steps of every restore


def check_space(restore: Restore) -> None:
    """Before anything is written: the clear files, and what they become, have to fit beside what is live."""
    of = restore.of
    needed = int(MARGIN * sets.size_restored(of.facts, of.bytes))
    for path in sorted({restore.settings.work, target_of(restore)}):
        room = repository.free_bytes(path) - restore.settings.reserve
        if room < needed:
            raise SpaceError(f"{path} has {max(room, 0)} bytes free beyond the reserve; the restore needs {needed}")


def target_of(restore: Restore) -> Path:
    if sets.kind(restore.name)[0] == "database":
        return restore_database.PLACE
    return restore_directory.targets(restore)[0].parent


def stage(restore: Restore) -> None:
    """Fetch, decrypt, and compare with the sums of the manifest: what was read through before it had any."""
    backup.stage(restore.settings, restore.name, restore.source, restore.place, restore.identity)


STEPS: dict[str, dict[str, Step]] = {
    "database": {
        "check": restore_database.check,
        "space": check_space,
        "stage": stage,
        "sweep": restore_database.sweep,
        "load": restore_database.load,
        "examine": restore_database.examine,
        "save": restore_database.save,
        "switch": restore_database.switch,
        "probe": restore_database.probe,
    },
    "redis": {
        "check": restore_directory.check_redis,
        "sweep": restore_directory.sweep,
        "space": check_space,
        "stage": stage,
        "count": restore_directory.count_redis,
        "load": restore_directory.load_redis,
        "save": restore_directory.save_redis,
        "switch": restore_directory.switch_redis,
        "probe": restore_directory.probe_redis,
    },
    "files": {
        "check": restore_directory.check_files,
        "sweep": restore_directory.sweep,
        "space": check_space,
        "stage": stage,
        "load": restore_directory.load_files,
        "save": restore_directory.save_files,
        "switch": restore_directory.switch_files,
    },
}


def run(
    settings: Settings, name: str, wanted: str, say: Say, remote: bool = False, identity: str = "", safety: bool = True
) -> dict[str, t.Any]:
    """Restore a set; the report says what was done, and what stands aside."""
    began = time.time()
    source = find(settings, name, wanted, remote)
    of = source.of if isinstance(source, repository.Backup) else source
    report = Report(name, settings.host, of.id, of.taken, sets.size_restored(of.facts, of.bytes), began)
    restore = Restore(settings, name, source, identity, say, safety, report)
    with repository.scratch(restore.place):
        for step, action in STEPS[sets.kind(name)[0]].items():
            say(INFO, f"{name}: restore of {of.id}: {step}")
            at = time.monotonic()
            action(restore)
            report.steps[step] = round(time.monotonic() - at, 3)
    say(INFO, f"{name}: {of.id} is live; aside: {', '.join(report.aside) or 'nothing'}")
    return asdict(report)


# ---- afterwards


def beside(name: str) -> t.Any:
    """The module that knows what stands beside a set: both have the same functions."""
    return restore_database if sets.kind(name)[0] == "database" else restore_directory


def undo(settings: Settings, name: str, say: Say) -> dict[str, t.Any]:
    """What was set aside last is live again; what was live stands aside."""
    began = time.monotonic()
    undone: Undone = beside(name).undo(settings, name, say)
    undone.seconds = round(time.monotonic() - began, 3)
    if not undone.aside:
        raise BackupError(f"{name}: nothing stands aside, so there is nothing to go back to")
    say(WARNING, f"{name}: went back; what was live stands aside as {', '.join(undone.aside)}")
    return asdict(undone)


def discard(settings: Settings, name: str, say: Say) -> list[str]:
    """Remove what stands aside, for good."""
    gone: list[str] = beside(name).discard(settings, name)
    for one in gone:
        say(WARNING, f"{name}: removed {one}, which stood aside")
    return gone
