# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole server as it was at any moment: made beside the live data directory, looked at, and exchanged with it.

It is recovered by a server of its own, which begins a new timeline there and archives nothing. What is to be archived
of it waits, and goes to the archive once it is live: as long as it is not, nothing in the archive speaks of it.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from evenkeel_backup import cluster, commands, exchange, manifest, pgbackrest, postgres, repository, sql, wal
from evenkeel_backup.outcome import BackupError, DamagedError, SpaceError
from evenkeel_backup.restore import MARGIN
from evenkeel_backup.restore_report import Report, Undone
from evenkeel_backup.runs import INFO, WARNING, Say
from evenkeel_backup.settings import CLUSTER, Settings
from evenkeel_backup.wal import Target

NAME = "cluster"  # of the process that exchanges the directories
SECONDS_TO_RECOVER = 3600
# What pgBackRest writes for the recovery. Left where it is, it would one day stop a replica at a moment long past.
RECOVERY = (
    "recovery_target", "recovery_target_action", "recovery_target_name", "recovery_target_time",
    "recovery_target_timeline", "restore_command",
)  # fmt: skip


@dataclass
class Restore:
    """What the steps have in common."""

    settings: Settings
    data: Path  # the live directory
    target: Target
    repository: int
    say: Say
    report: Report
    timeline: int

    @property
    def stamp(self) -> str:
        return manifest.stamp(self.report.began)

    @property
    def new(self) -> Path:
        return exchange.new(self.data, self.stamp)

    @property
    def place(self) -> Path:
        return self.settings.restoring


def live(settings: Settings) -> postgres.Server | None:
    """The host's own server, if it answers."""
    try:
        return postgres.running(settings.postgres_port)
    except BackupError:
        return None


def number_of(settings: Settings, remote: bool) -> int:
    return settings.repositories[-1] if remote else cluster.FIRST


def aim(settings: Settings, wanted: str, remote: bool) -> tuple[Target, int]:
    """Which backup, how far its WAL is replayed, and along which timeline: that of the live directory, if any."""
    number = number_of(settings, remote)
    good = cluster.good(settings, number)
    data = postgres.declared(settings.postgres_port).data
    timeline, lineage = good[-1].timeline if good else 1, set[int]()
    if same_system(data, number):
        timeline = int(control(data)["Latest checkpoint's TimeLineID"])
        history = data / "pg_wal" / f"{timeline:08X}.history"
        lineage = wal.lineage(timeline, history.read_text(encoding="ascii") if history.exists() else "")
    try:
        return wal.choose(good, wanted, lineage, time.time()), timeline
    except ValueError as exc:
        raise BackupError(f"{CLUSTER}: {exc}") from exc


def same_system(data: Path, number: int) -> bool:
    """Whether the archive is that of the live directory; an empty server that takes its place has no part in it."""
    return control(data).get("Database system identifier") == str(pgbackrest.info(number).system)


def control(data: Path) -> dict[str, str]:
    """What pg_controldata knows; nothing where the directory is lost or damaged."""
    if not (data / "PG_VERSION").exists():
        return {}
    # It fails where the directory is damaged, which is as good as lost.
    program = postgres.programs_for(data) / "pg_controldata"
    return wal.control(commands.run([program, data], user=postgres.USER, accept=(0, 1)))


def plan(settings: Settings, name: str, wanted: str, remote: bool) -> dict[str, t.Any]:
    """What would be restored over what; touches nothing."""
    target, _timeline = aim(settings, wanted, remote)
    server = live(settings)
    return {
        "set": name,
        "id": target.backup.id,
        "host": settings.host,
        "until": target.moment or {"immediate": "the end of this backup", "default": "now"}[target.kind],
        "bytes": target.backup.bytes,
        "live": {
            "replaced": "the whole server with all of its databases, users and settings made by ALTER SYSTEM",
            "databases": server.ask(sql.DATABASES) if server else "the server does not answer",
            "replicas": server.ask(sql.REPLICAS) if server else [],
        },
    }


# ---- steps


def check(restore: Restore) -> None:
    if any((restore.data / "pg_tblspc").glob("*")):
        raise BackupError(f"{restore.data} has tablespaces, which this program cannot restore beside the live ones")
    exchange.refuse_mounts([restore.data])
    server = live(restore.settings)
    if server and server.ask(sql.RECOVERING) == ["t"]:
        raise BackupError("this server is a replica: restore on its primary")
    if not restore.data.parent.exists():
        owner = [f"--owner={postgres.USER}", f"--group={postgres.USER}"]
        commands.run(["install", "--directory", *owner, *restore.data.parents[1::-1]])
    needed = int(MARGIN * restore.target.backup.bytes)
    room = repository.free_bytes(restore.data.parent) - restore.settings.reserve
    if room < needed:
        raise SpaceError(f"{restore.data.parent} has {max(room, 0)} bytes free beyond the reserve, and needs {needed}")


def close(restore: Restore) -> None:
    """Have the archive hold what was written up to now, and a mark behind it at which a recovery ends."""
    server = live(restore.settings)
    if not server or not same_system(restore.data, restore.repository):
        return
    mark = f"evenkeel_{restore.stamp.lower()}"
    server.ask(f"SELECT pg_current_xact_id(), pg_create_restore_point({sql.literal(mark)});")
    try:
        pgbackrest.run("check")
    except BackupError as exc:
        # The moment asked for may be older than what is stuck; if it is not, the replay will say so.
        restore.say(WARNING, f"{CLUSTER}: the archive takes no WAL any more: {exc}")
        return
    if restore.target.kind == "default":
        restore.target = replace(restore.target, kind="name", moment=mark)
        restore.report.taken = restore.report.began


def sweep(restore: Restore) -> None:
    """What restores left that were killed before they switched; nobody ever used these directories."""
    stop_unused(restore.data)
    exchange.sweep([restore.data])


def stop_unused(data: Path) -> None:
    for left in exchange.beside([data], "new"):
        postgres.stop(left, "immediate")


def load(restore: Restore) -> None:
    target = [f"--target={restore.target.moment}"] if restore.target.moment else []
    ends = ["--target-action=promote"] if restore.target.kind != "default" else []
    how = [f"--type={restore.target.kind}", *target, *ends, f"--target-timeline={restore.timeline}"]
    cluster.restore(restore.new, restore.target.backup.label, restore.repository, *how)


def recover(restore: Restore) -> None:
    """Go to the moment, begin a timeline there, and see what is to be seen: this is what will be live."""
    # Without a command the files for the archive wait in the directory, to be taken by the live server.
    waits = {"archive_mode": "on", "archive_command": ""}
    with postgres.guest(restore.new, restore.place, waits) as server:
        restore.report.counts = tables(server)
        for name in RECOVERY:
            server.ask(f"ALTER SYSTEM RESET {name};")
    if (restore.new / "postmaster.pid").exists():
        raise BackupError(f"the server on {restore.new} does not stop")


def tables(server: postgres.Server) -> dict[str, int]:
    """How many tables each database has."""
    return {name: int(server.ask(sql.TABLES, name)[0]) for name in server.ask(sql.DATABASES)}


def switch(restore: Restore) -> None:
    server = live(restore.settings)
    replicas = server.ask(sql.REPLICAS) if server else []
    if restore.data.is_dir() and not any(restore.data.iterdir()):
        restore.data.rmdir()  # as good as lost, and nothing to go back to
    exchange.switch_server(NAME, restore.data, restore.stamp, unit(restore.settings))
    aside = exchange.aside(restore.data, restore.stamp)
    restore.report.aside = [] if exchange.is_nothing(aside) else [str(aside)]
    restore.report.left = [f"take a backup: evenkeel-backup job {CLUSTER}"]
    if replicas:
        restore.report.left.append(
            f"{', '.join(replicas)} copied what is not live any more: have the role postgres fill them anew, "
            "with -e '{postgres_rebuild: true}'"
        )


def unit(settings: Settings) -> str:
    return postgres.declared(settings.postgres_port).unit


def probe(restore: Restore) -> None:
    """The live name answers with what was seen before; if not, what was live comes back."""
    try:
        server = recovered(restore.settings)
        found = tables(server)
        if found != restore.report.counts:
            raise DamagedError(f"after the switch there are {found} tables instead of {restore.report.counts}")
    except BackupError:
        exchange.go_back(NAME, restore.data, restore.stamp, unit(restore.settings))
        raise


def recovered(settings: Settings) -> postgres.Server:
    deadline = time.monotonic() + SECONDS_TO_RECOVER
    while True:
        server = live(settings)
        if server and server.ask(sql.RECOVERING) == ["f"]:
            return server
        if time.monotonic() > deadline:
            raise BackupError("the restored server takes no writes; see Postgres' log")
        time.sleep(0.2)


STEPS: dict[str, Callable[[Restore], None]] = {
    "check": check,
    "close": close,
    "sweep": sweep,
    "load": load,
    "recover": recover,
    "switch": switch,
    "probe": probe,
}


def run(
    settings: Settings,
    name: str,
    wanted: str,
    say: Say,
    remote: bool = False,
    _identity: str = "",
    _safety: bool = True,
) -> dict[str, t.Any]:
    """Restore the server; the report says what was done, and what stands aside, which is the safety copy."""
    began = time.time()
    target, timeline = aim(settings, wanted, remote)
    backup = target.backup
    report = Report(name, settings.host, backup.id, target.reaches, backup.bytes, began)
    data, number = postgres.declared(settings.postgres_port).data, number_of(settings, remote)
    restore = Restore(settings, data, target, number, say, report, timeline)
    with postgres.scratch(restore.place):
        for step, action in STEPS.items():
            say(INFO, f"{name}: restore of {backup.id}: {step}")
            at = time.monotonic()
            action(restore)
            report.steps[step] = round(time.monotonic() - at, 3)
    say(INFO, f"{name}: {backup.id} is live, with its WAL; aside: {', '.join(report.aside) or 'nothing'}")
    for one in report.left:
        say(WARNING, f"{name}: {one}")
    return asdict(report)


# ---- afterwards


def undo(settings: Settings, name: str, say: Say) -> dict[str, t.Any]:
    """What was set aside last is live again; what was live stands aside."""
    began = time.monotonic()
    data = postgres.declared(settings.postgres_port).data
    aside = exchange.beside([data], "restore")
    if not aside:
        raise BackupError(f"{name}: nothing stands aside, so there is nothing to go back to")
    if not (aside[-1] / "PG_VERSION").exists():
        raise BackupError(f"{name}: {aside[-1]} is no data directory, so there is nothing to go back to")
    exchange.apart(NAME, [data], aside[-1].name.rpartition("-")[2], unit(settings))
    recovered(settings)
    say(WARNING, f"{name}: went back; what was live stands aside as {aside[-1]}")
    return asdict(Undone(name, [str(aside[-1])], seconds=round(time.monotonic() - began, 3)))


def discard(settings: Settings, name: str, say: Say) -> list[str]:
    """Remove what stands aside, for good."""
    data = postgres.declared(settings.postgres_port).data
    stop_unused(data)
    gone = exchange.discard([data])
    for one in gone:
        say(WARNING, f"{name}: removed {one}, which stood aside")
    return gone
