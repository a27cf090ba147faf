# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command evenkeel-backup."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
import typing as t
from pathlib import Path

from evenkeel_backup import backup, cluster, commands, exchange, job, repository, restore, restore_cluster
from evenkeel_backup import settings as settings_module
from evenkeel_backup.outcome import EXIT, BackupError, ConfigError, SkippedError
from evenkeel_backup.settings import CLUSTER, Settings

STATUS = ", ".join(f"{status} {name}" for name, status in EXIT.items())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="evenkeel-backup", description="Back up, prove, keep and restore.", epilog=f"Exit status: {STATUS}."
    )
    parser.add_argument("--settings", type=Path, default=settings_module.PATH, help="where they are (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("job", help="run a job the way cron does; without a name, those that are overdue")
    run.add_argument("name", nargs="?", help="backup, cluster, archive, restore-test or remote-test")
    run.add_argument("--wait", action="store_true", help="wait for a run that is going on instead of giving up")

    commands.add_parser("status", help="show backups, jobs, and promises that cannot be kept")

    show = commands.add_parser("list", help="list the backups of all sets, or of one, as JSON")
    show.add_argument("set", nargs="?")
    show.add_argument("--newest", action="store_true", help="only where the newest good one of each set is")

    thin = commands.add_parser("expire", help="remove what the rules let go")
    thin.add_argument("--dry-run", action="store_true", help="say what would go, and why the others stay")

    what = argparse.ArgumentParser(add_help=False)
    what.add_argument(
        "what", help="database/<name>, cluster, redis, files/<name>, its name alone, database if there is one, or full"
    )
    confirmed = argparse.ArgumentParser(add_help=False)
    confirmed.add_argument("--confirm", metavar="HOST/SET", default="", help="says that this set of this host is meant")
    source = argparse.ArgumentParser(add_help=False)
    source.add_argument("--from", dest="wanted", default="latest", help="latest, the id of a backup, or a time")
    source.add_argument("--remote", action="store_true", help="from the remote store")
    source.add_argument("--identity", action="store_true", help="read an age identity from standard input")

    back = commands.add_parser(
        "restore", parents=[what, source, confirmed], help="restore beside what is live, then switch"
    )
    back.add_argument("--plan", action="store_true", help="say what would be restored over what, as JSON, and stop")
    back.add_argument("--no-safety-copy", action="store_true", help="do not back up what is live first")

    commands.add_parser("undo", parents=[what, confirmed], help="go back to what a restore set aside")
    commands.add_parser("discard", parents=[what, confirmed], help="remove what restores set aside")

    commands.add_parser("drill", parents=[source], help="restore everything on an empty host, and say how long it took")

    swap = commands.add_parser("exchange", help="have paths change places with what a restore put beside them")
    swap.add_argument("stamp", help="of that restore")
    swap.add_argument("paths", type=Path, nargs="+")

    commands.add_parser("check", help="see whether the settings make sense")
    commands.add_parser("promises", help="refuse settings that cannot keep backup_rpo; touches nothing")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    try:
        settings = settings_module.read(given.settings)
        if given.command == "promises":
            return promises(settings)
        os.umask(0o022)
        job.prepare(settings)
        os.umask(0o077)
        return COMMANDS[given.command](settings, given)
    except (BackupError, OSError, ValueError) as exc:
        print(f"evenkeel-backup: {exc}", file=sys.stderr)
        return EXIT[exc.outcome] if isinstance(exc, BackupError) else EXIT["failed"]


def works(settings: Settings) -> dict[str, job.Work]:
    return {
        "backup": lambda: backup.back_up(settings, job.say),
        "cluster": lambda: cluster.back_up(settings, job.say),
        "archive": lambda: cluster.watch(settings, job.say),
        "restore-test": lambda: backup.restore_test(settings, job.say),
        "remote-test": lambda: backup.remote_test(settings, job.say, settings.identity),
    }


def run_job(settings: Settings, given: argparse.Namespace) -> int:
    os.nice(10)
    if settings.restoring.exists():
        # Of a restore that was killed: the next one would remove it, and who knows when that is.
        with contextlib.suppress(SkippedError), job.lock(settings, "restore", wait=False):
            commands.remove(settings.restoring)
    if given.name:
        if given.name not in settings.jobs:
            raise BackupError(f"there is no job {given.name} on this host; there are: {', '.join(settings.jobs)}")
        return job.run(settings, given.name, works(settings)[given.name], given.wait)
    statuses = [job.run(settings, name, works(settings)[name]) for name in job.overdue(settings, time.time())]
    return max(statuses, default=0)


def show_list(settings: Settings, given: argparse.Namespace) -> int:
    names = [given.set] if given.set else settings.sets
    if given.newest:
        newest = {name: backup.newest_good(settings, name).path for name in names}
        print(json.dumps({name: str(path.relative_to(settings.directory)) for name, path in newest.items()}))
        return 0
    print(
        json.dumps(
            {name: [described(found) for found in repository.backups(settings.directory, name)] for name in names}
        )
    )
    return 0


def described(found: repository.Backup) -> dict[str, t.Any]:
    of = found.manifest
    return {
        "id": found.id,
        "taken": of.taken if of else 0,
        "bytes": of.bytes if of else 0,
        "seconds": of.seconds if of else 0,
        "verified": sorted(found.marks.passed),
        "damaged": found.marks.damaged,
        "path": str(found.path),
    }


def show_status(settings: Settings, _given: argparse.Namespace) -> int:
    now = time.time()
    for name in settings.jobs:
        record = job.read_record(settings, name)
        state = "running" if record.running else record.outcome or "never ran"
        ago = f", last good run {settings_module.words(now - record.succeeded)} ago" if record.succeeded else ""
        print(f"{name}: {state}{ago}{f' ({record.message})' if record.message else ''}")
    for name in settings.sets:
        good = job.good(settings, name)
        newest = f"newest {good[-1].id}, {good[-1].of.bytes} bytes" if good else "none"
        left = "left to the host that leads; here are " if job.left_to_leader(settings, name) else ""
        print(f"{name}: {left}{len(good)} good backups, {newest}")
    problems = job.promises(settings, now)[2]
    print("\n".join(problems) if problems else "The declared targets can be met.")
    return 0


def expire(settings: Settings, given: argparse.Namespace) -> int:
    with job.lock(settings, "backup", wait=False):
        for name in settings.copied:
            every = repository.backups(settings.directory, name)
            plan = backup.thin_out(settings, name, every, job.say, given.dry_run)
            for one in plan.remove:
                print(f"{name} {one}: {'would go' if given.dry_run else 'gone'}")
            for one, reasons in plan.reasons.items():
                print(f"{name} {one}: stays: {', '.join(reasons)}")
            if plan.stopped:
                print(f"{name}: nothing goes, because {plan.stopped}")
    with job.lock(settings, "cluster", wait=False):
        for number in settings.repositories:
            for one in cluster.thin_out(settings, number, job.say, given.dry_run):
                print(f"cluster {one}: {'would go' if given.dry_run else 'gone'}")
    return 0


def check(settings: Settings, _given: argparse.Namespace) -> int:
    for problem in job.promises(settings, time.time())[2]:
        print(problem)
    return 0


def promises(settings: Settings) -> int:
    problem = settings_module.impossible(settings, time.time())
    if problem:
        raise ConfigError(problem)
    return 0


def confirmed(settings: Settings, given: argparse.Namespace) -> list[str]:
    """The sets that are meant, once host and set have been named twice."""
    names = settings_module.resolve(settings, given.what)
    meant = meaning(settings, given)
    if given.confirm != meant:
        raise ConfigError(f"this touches {', '.join(names)} of {settings.host}; say --confirm {meant} to go on")
    return names


def meaning(settings: Settings, given: argparse.Namespace) -> str:
    names = settings_module.resolve(settings, given.what)
    return f"{settings.host}/{'full' if given.what == 'full' else names[0]}"


def run_restore(settings: Settings, given: argparse.Namespace) -> int:
    if given.plan:
        names = settings_module.resolve(settings, given.what)
        plans = [restores(name).plan(settings, name, given.wanted, given.remote) for name in names]
        print(json.dumps({"confirm": meaning(settings, given), "sets": plans}))
        return 0
    print(json.dumps({"restored": restore_sets(settings, given, confirmed(settings, given), not given.no_safety_copy)}))
    return 0


def restore_sets(
    settings: Settings, given: argparse.Namespace, names: list[str], safety_copy: bool
) -> list[dict[str, t.Any]]:
    identity = sys.stdin.read() if given.identity else ""
    # A backup meanwhile would find the databases of the restore, or the safety copy half done.
    with contextlib.ExitStack() as locks:
        locks.enter_context(job.lock(settings, "restore", wait=False))
        for going_on in ("backup", CLUSTER) if CLUSTER in names else ("backup",):
            locks.enter_context(job.lock(settings, going_on, wait=True))
        return [
            restores(name).run(settings, name, given.wanted, job.say, given.remote, identity, safety_copy)
            for name in names
        ]


def restores(name: str) -> t.Any:
    """The module that restores a set: they have the same functions."""
    return restore_cluster if name == CLUSTER else restore


def undo(settings: Settings, given: argparse.Namespace) -> int:
    names = confirmed(settings, given)
    with job.lock(settings, "restore", wait=False):
        print(json.dumps({"undone": [restores(name).undo(settings, name, job.say) for name in names]}))
    return 0


def discard(settings: Settings, given: argparse.Namespace) -> int:
    names = confirmed(settings, given)
    with job.lock(settings, "restore", wait=False):
        print(json.dumps({"gone": [restores(name).discard(settings, name, job.say) for name in names]}))
    return 0


def drill(settings: Settings, given: argparse.Namespace) -> int:
    # What copies another host gets it from there.
    names = [name for name in settings.sets if not backup.left_to_leader(settings, name)]
    restored = restore_sets(settings, given, names, safety_copy=False)
    print(json.dumps({"rto": settings.rto, "rpo": settings.rpo, "restored": restored}))
    return 0


def change_places(_settings: Settings, given: argparse.Namespace) -> int:
    exchange.exchange(given.paths, given.stamp)
    return 0


COMMANDS: dict[str, t.Callable[[Settings, argparse.Namespace], int]] = {
    "job": run_job,
    "status": show_status,
    "list": show_list,
    "expire": expire,
    "check": check,
    "restore": run_restore,
    "undo": undo,
    "discard": discard,
    "exchange": change_places,
    "drill": drill,
}
