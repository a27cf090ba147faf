# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores that are made beside what is live, and switched in one step that can be undone.

Whoever is killed where: what was live is live, or what was restored is. A restore that was cut short is begun again,
and what the first one left beside is removed.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import time
import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from evenkeel_backup import backup, commands, files, manifest, postgres, redis, repository, sets, sql
from evenkeel_backup.manifest import Manifest
from evenkeel_backup.outcome import BackupError, DamagedError, SpaceError
from evenkeel_backup.remote import Remote
from evenkeel_backup.runs import INFO, WARNING, Say
from evenkeel_backup.settings import Settings

SWITCHES = 3  # attempts
MARGIN = 1.2  # of the recorded size has to be free
AT_FDCWD, RENAME_EXCHANGE = -100, 2


@dataclass
class Report:
    """What a restore did: times in seconds since 1970, steps in seconds each."""

    set: str
    host: str
    id: str
    taken: float
    bytes: int  # as large as it is when it is restored
    began: float
    steps: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)
    safety: str = ""
    left: list[str] = field(default_factory=list)  # to be done by whoever restores


@dataclass
class Restore:
    """What the steps of a restore have in common."""

    settings: Settings
    name: str
    source: repository.Backup | Manifest
    identity: str
    say: Say
    safety_copy: bool
    report: Report

    @property
    def of(self) -> Manifest:
        return self.source.of if isinstance(self.source, repository.Backup) else self.source

    @property
    def what(self) -> str:
        return sets.kind(self.name)[1]

    @property
    def place(self) -> Path:
        return self.settings.work / "restore"

    @cached_property
    def server(self) -> postgres.Server:
        return postgres.running(self.settings.postgres_port)

    @property
    def stamp(self) -> str:
        return manifest.stamp(self.report.began)


Step = Callable[[Restore], None]


# ---- which backup


def find(settings: Settings, name: str, wanted: str, remote: bool) -> repository.Backup | Manifest:
    """The backup that `latest`, an id or a time stands for; only good ones are offered."""
    try:
        if remote:
            away = Remote(settings).manifests(name)
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
    of = sets.kind(restore.name)[0]
    if of == "database":
        return Path("/var/lib/postgresql")
    return redis.DATA if of == "redis" else Path(restore.of.facts["paths"][0]).parent


def stage(restore: Restore) -> None:
    """Fetch, decrypt, and compare with the sums of the manifest: what was read through before it had any."""
    backup.stage(restore.settings, restore.name, restore.source, restore.place, restore.identity)


def save_live(restore: Restore) -> None:
    """An ordinary backup of what is live, before it is set aside."""
    of, what = sets.kind(restore.name)
    if not restore.safety_copy or (of == "database" and not restore.server.has(what)):
        return
    restore.report.safety = backup.take(restore.settings, restore.name, restore.say, safety=True).id


# ---- databases


def new_name(restore: Restore) -> str:
    return sql.beside(restore.what, "new", restore.stamp)


def refuse_replica(restore: Restore) -> None:
    sql.beside(restore.what, "old", restore.stamp)  # refuses a name that is too long
    if restore.server.ask("SELECT pg_is_in_recovery();") == ["t"]:
        raise BackupError("this server is a replica: restore on its primary")


def sweep_databases(restore: Restore) -> None:
    """What restores left that were killed; nobody ever used these databases."""
    server = restore.server
    ours = re.compile(re.escape(restore.what) + r"__new_\d{8}t\d{6}z")
    for name in server.ask("SELECT datname FROM pg_database;"):
        if ours.fullmatch(name):
            server.ask(f"{sql.terminate(name)}\nDROP DATABASE {sql.identifier(name)};")


def load_database(restore: Restore) -> None:
    server = restore.server
    facts = restore.of.facts
    if not server.ask(f"SELECT 1 FROM pg_roles WHERE rolname = {sql.literal(facts['owner'])};"):
        postgres.load_globals(server, restore.place)
    postgres.load(server, restore.place, restore.what, new_name(restore), facts, postgres.processors())


def examine_database(restore: Restore) -> None:
    """Statistics, without which it would be slow when users come, and the counts: both read all of it, so at once."""
    new = new_name(restore)
    with ThreadPoolExecutor(max_workers=2) as both:
        jobs = f"--jobs={postgres.processors()}"
        analyzed = both.submit(restore.server.run, "vacuumdb", "--analyze-only", "--quiet", jobs, f"--dbname={new}")
        counted = both.submit(restore.server.counts, new)
    analyzed.result()
    restore.report.counts = counted.result()
    problems = manifest.differences(restore.of.facts["rows"], restore.report.counts)
    if problems:
        raise DamagedError(f"the restored database has other rows than the backup says: {'; '.join(problems)}")


def switch_database(restore: Restore) -> None:
    server = restore.server
    aside = sql.beside(restore.what, "old", restore.stamp) if server.has(restore.what) else ""
    own = postgres.properties(server, restore.place, restore.what)
    rename(server, restore.what, aside, new_name(restore), own)
    restore.report.aside = [aside] if aside else []


def rename(server: postgres.Server, live_name: str, aside: str, new: str, properties: str) -> None:
    """All or nothing, and again after a session that was just beginning stood in the way."""
    for attempt in range(1, SWITCHES + 1):
        try:
            server.ask(sql.switch(live_name, aside, new, properties))
            return
        except BackupError:
            if attempt == SWITCHES:
                raise


def probe_database(restore: Restore) -> None:
    """The live name answers with the restored tables; if not, what was live comes back."""
    server = restore.server
    try:
        lacking = set(restore.of.facts["rows"]) - server.readable_tables(restore.what)
        if lacking:
            raise DamagedError(f"after the switch {restore.what} lacks tables: {', '.join(sorted(lacking))}")
    except BackupError:
        if restore.report.aside:
            undo_database(restore.settings, restore.name, restore.report.aside[0])
        raise


def undo_database(settings: Settings, name: str, aside: str) -> list[str]:
    """Back to the database that stands aside; the restored one steps aside in turn."""
    server, live_name = postgres.running(settings.postgres_port), sets.kind(name)[1]
    away = sql.beside(live_name, "old", manifest.stamp(time.time()))
    rename(server, live_name, away if server.has(live_name) else "", aside, "")
    return [away]


# ---- directories that are exchanged: Redis and files


def exchange(one: Path, other: Path) -> None:
    """Two names swap what they stand for, in one step of the kernel. Where one is lost, the other takes its place."""
    if not os.path.lexists(one):
        other.rename(one)
        repository.sync_directory(one.parent)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        error = ctypes.get_errno()
        raise BackupError(f"{one} and {other} cannot be exchanged: {os.strerror(error)}")
    repository.sync_directory(one.parent)


def beside(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.name}.restore-{stamp.lower()}")


def prepare_redis(restore: Restore) -> None:
    """A data directory from which Redis starts with the backup's keys, whether it logs every write or not."""
    made = beside(redis.DATA, restore.stamp)
    commands.remove(made)
    log = made / "appendonlydir"
    log.mkdir(parents=True)
    # With appendonly Redis reads nothing but this log, whose base may be a snapshot.
    base = "appendonly.aof.1.base.rdb"
    shutil.copyfile(restore.place / redis.NAME, log / base)
    (log / "appendonly.aof.manifest").write_text(f"file {base} seq 1 type b\n", encoding="ascii")
    shutil.copyfile(restore.place / redis.NAME, made / redis.NAME)
    for path in [made, log, *log.iterdir(), made / redis.NAME]:
        shutil.chown(path, redis.USER, redis.USER)
        path.chmod(0o750 if path.is_dir() else 0o640)


def count_redis(restore: Restore) -> None:
    with redis.throwaway(restore.place) as ask:
        redis.check_keys(keys := redis.keys_of(ask), restore.of.facts)
    restore.report.counts = {"keys": keys}


def switch_redis(restore: Restore) -> None:
    exchange_redis(made := beside(redis.DATA, restore.stamp))
    restore.report.aside = [str(made)]


def exchange_redis(other: Path) -> None:
    exchange_stopped(redis.UNIT, "redis", redis.DATA, other)


def exchange_stopped(server: str, name: str, one: Path, other: Path) -> None:
    """The server is away for a moment. A process of its own does it, so that nobody who is killed leaves it stopped."""
    program = Path(__file__).resolve().parents[1] / "evenkeel-backup"
    script = f'systemctl stop {server} && "$@"; status=$?; systemctl start {server} && exit $status'
    unit = ["systemd-run", "--quiet", "--wait", "--collect", f"--unit=evenkeel-restore-{name}", "/bin/sh", "-c", script]
    commands.run([*unit, "sh", program, "exchange", one, other])


def probe_redis(restore: Restore) -> None:
    words, environment = redis.login()
    deadline = time.monotonic() + redis.SECONDS_TO_LOAD
    while commands.run([*words, "PING"], environment=environment, accept=(0, 1)).strip() != "PONG":
        if time.monotonic() > deadline:
            exchange_redis(Path(restore.report.aside[0]))
            raise BackupError("Redis did not come back with the restored keys, so it has the old ones again")
        time.sleep(0.1)


def prepare_files(restore: Restore) -> None:
    """Unpacked once, then put beside each path: an exchange works within one file system only."""
    unpacked = restore.place / "unpacked"
    files.unpack(restore.place, unpacked)
    for path in map(Path, restore.of.facts["paths"]):
        made = beside(path, restore.stamp)
        commands.remove(made)
        commands.run(["cp", "--archive", "--", unpacked / path.relative_to("/"), made])
    restore.report.counts = {"entries": int(restore.of.facts["entries"])}


def switch_files(restore: Restore) -> None:
    for path in map(Path, restore.of.facts["paths"]):
        made = beside(path, restore.stamp)
        path.parent.mkdir(parents=True, exist_ok=True)
        exchange(path, made)
        if os.path.lexists(made):
            restore.report.aside.append(str(made))


STEPS: dict[str, dict[str, Step]] = {
    "database": {
        "check": refuse_replica,
        "space": check_space,
        "stage": stage,
        "sweep": sweep_databases,
        "load": load_database,
        "examine": examine_database,
        "save": save_live,
        "switch": switch_database,
        "probe": probe_database,
    },
    "redis": {
        "space": check_space,
        "stage": stage,
        "count": count_redis,
        "load": prepare_redis,
        "save": save_live,
        "switch": switch_redis,
        "probe": probe_redis,
    },
    "files": {
        "space": check_space,
        "stage": stage,
        "load": prepare_files,
        "save": save_live,
        "switch": switch_files,
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


def standing_aside(settings: Settings, name: str) -> list[str]:
    """What restores of this set have set aside, oldest first."""
    of, what = sets.kind(name)
    if of == "database":
        ours = re.compile(re.escape(what) + r"__old_\d{8}t\d{6}z")
        names = postgres.running(settings.postgres_port).ask("SELECT datname FROM pg_database;")
        return sorted(found for found in names if ours.fullmatch(found))
    paths = [redis.DATA] if of == "redis" else [Path(p) for f in settings.files if f.name == what for p in f.paths]
    return standing_beside(paths)


def standing_beside(paths: t.Iterable[Path]) -> list[str]:
    return sorted(str(found) for path in paths for found in path.parent.glob(f"{path.name}.restore-*"))


def undo(settings: Settings, name: str, say: Say) -> list[str]:
    """What was set aside last is live again; what was live stands aside."""
    aside = standing_aside(settings, name)
    if not aside:
        raise BackupError(f"{name}: nothing stands aside, so there is nothing to go back to")
    of, what = sets.kind(name)
    if of == "database":
        now_aside = undo_database(settings, name, aside[-1])
    elif of == "redis":
        exchange_redis(Path(aside[-1]))
        now_aside = [aside[-1]]
    else:
        paths = [Path(path) for one in settings.files if one.name == what for path in one.paths]
        stamp = aside[-1].rpartition(".restore-")[2]
        for path in paths:
            exchange(path, beside(path, stamp))
        now_aside = [str(beside(path, stamp)) for path in paths]
    say(WARNING, f"{name}: went back; what was live stands aside as {', '.join(now_aside)}")
    return now_aside


def discard(settings: Settings, name: str, say: Say) -> list[str]:
    """Remove what stands aside, for good."""
    gone = standing_aside(settings, name)
    for one in gone:
        if sets.kind(name)[0] == "database":
            server = postgres.running(settings.postgres_port)
            server.ask(f"{sql.terminate(one)}\nDROP DATABASE {sql.identifier(one)};")
        else:
            commands.remove(Path(one))
        say(WARNING, f"{name}: removed {one}, which stood aside")
    return gone
