# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis and files are restored into directories beside the live ones, which then change places with them."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

from evenkeel_backup import commands, exchange, files, redis, sets
from evenkeel_backup.outcome import BackupError
from evenkeel_backup.restore_report import Restore, Undone
from evenkeel_backup.runs import WARNING, Say
from evenkeel_backup.settings import Files, Settings

SECONDS_TO_FOLLOW = 60


def declared(settings: Settings, name: str) -> list[Path]:
    of, what = sets.kind(name)
    if of == "redis":
        return [redis.DATA]
    return [Path(path) for one in settings.files if one.name == what for path in one.paths]


def targets(restore: Restore) -> list[Path]:
    """What the backup knows of, and not what was declared later."""
    return [redis.DATA] if restore.name == "redis" else [Path(path) for path in restore.of.facts["paths"]]


def sweep(restore: Restore) -> None:
    """What restores left that were killed before they switched; nobody ever used these directories."""
    exchange.sweep(targets(restore))
    while stands_aside(targets(restore), restore.stamp):  # of a restore within the same second
        time.sleep(0.1)
        restore.report.began = time.time()


def stands_aside(paths: list[Path], stamp: str) -> list[str]:
    return [str(path) for path in (exchange.aside(one, stamp) for one in paths) if os.path.lexists(path)]


def set_aside(restore: Restore) -> None:
    places = map(Path, stands_aside(targets(restore), restore.stamp))
    restore.report.aside = [str(path) for path in places if not exchange.is_nothing(path)]


# ---- Redis


def check_redis(restore: Restore) -> None:
    exchange.refuse_mounts(targets(restore))
    refuse_copy(redis.role())
    restore.followers = redis.followers()


def refuse_copy(role: str) -> None:
    if role not in ("", "master"):
        raise BackupError(
            f"Redis answers ROLE with {role}, and only on a primary (master) a restore or an undo lasts: what copies "
            "another server is overwritten by it. Run it on the primary, and look there which keys are live"
        )


def load_redis(restore: Restore) -> None:
    """A data directory from which Redis starts with the backup's keys, whether it logs every write or not."""
    made = exchange.new(redis.DATA, restore.stamp)
    made.mkdir(parents=True)
    shutil.copyfile(restore.place / redis.NAME, made / redis.NAME)
    own(made, made / redis.NAME, *redis.begin_log(made))


def own(*paths: Path) -> None:
    for path in paths:
        shutil.chown(path, redis.USER, redis.USER)
        path.chmod(0o750 if path.is_dir() else 0o640)


def count_redis(restore: Restore) -> None:
    with redis.throwaway(restore.place) as ask:
        redis.check_keys(keys := redis.keys_of(ask), restore.of.facts)
    restore.report.counts = {"keys": keys}


def save_redis(restore: Restore) -> None:
    if redis.role():
        restore.save(restore.settings)
    elif restore.safety_copy:
        restore.say(WARNING, f"{restore.name}: Redis does not answer, so there is no copy but what will stand aside")


def switch_redis(restore: Restore) -> None:
    keep_peers(exchange.new(redis.DATA, restore.stamp))
    exchange.switch_server("redis", redis.DATA, restore.stamp, redis.UNIT)
    set_aside(restore)


def keep_peers(coming: Path) -> None:
    """Whom the server copies belongs to the host and its peers, not to the data, though it lies among it."""
    peers = redis.DATA / redis.PEERS
    if peers.exists():
        shutil.copyfile(peers, kept := coming / redis.PEERS)
        own(kept)


def probe_redis(restore: Restore) -> None:
    if not answers():
        exchange.go_back("redis", redis.DATA, restore.stamp, redis.UNIT)
        raise BackupError("Redis did not come back with the restored keys, so it has the old ones again")
    await_followers(restore.followers, restore.say)


def answers() -> bool:
    """Whether it has loaded its keys, in all the time that it may take for it."""
    deadline = time.monotonic() + redis.SECONDS_TO_LOAD
    while redis.role() not in ("master", "slave"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def await_followers(wanted: int, say: Say) -> None:
    """It is still the primary, for its peers may have chosen another one while it was away.

    It takes itself for the primary until it is told otherwise; but who copies it again has chosen no other one.
    """
    deadline = time.monotonic() + SECONDS_TO_FOLLOW
    while redis.role() == "master" and (back := redis.followers()) < wanted:
        if time.monotonic() > deadline:
            missing = f"only {back} of {wanted} replicas copy Redis again"
            say(WARNING, f"redis: after {SECONDS_TO_FOLLOW} s {missing}; look at the others")
            break
        time.sleep(0.1)
    refuse_copy(redis.role())


# ---- files


def check_files(restore: Restore) -> None:
    paths = targets(restore)
    exchange.refuse_mounts(paths)
    for path in paths:
        if not path.parent.exists():
            commands.run(["install", "--directory", "--", path.parent])


def load_files(restore: Restore) -> None:
    """Unpacked once, then put beside each path: an exchange works within one file system only."""
    unpacked = restore.place / "unpacked"
    files.unpack(restore.place, unpacked)
    for path in targets(restore):
        made = exchange.new(path, restore.stamp)
        commands.run(["cp", "--archive", "--", unpacked / path.relative_to("/"), made])
    restore.report.counts = {"entries": int(restore.of.facts["entries"])}


def save_files(restore: Restore) -> None:
    """Of what is lost there is nothing to be saved."""
    there = tuple(str(path) for path in declared(restore.settings, restore.name) if os.path.lexists(path))
    if there:
        restore.save(replace(restore.settings, files=(Files(restore.what, there),)))


def switch_files(restore: Restore) -> None:
    exchange.apart("files", targets(restore), restore.stamp)
    set_aside(restore)


# ---- afterwards


def undo(settings: Settings, name: str, say: Say) -> Undone:
    paths = declared(settings, name)
    aside = exchange.beside(paths, "restore")
    if not aside:
        return Undone(name)
    stamp = aside[-1].name.rpartition("-")[2]
    paths = [path for path in paths if exchange.aside(path, stamp) in aside]
    if name == "redis":
        if exchange.is_nothing(aside[-1]):
            return Undone(name)
        undo_redis(stamp, say)
    else:
        exchange.apart("files", paths, stamp)
    return Undone(name, stands_aside(paths, stamp))


def undo_redis(stamp: str, say: Say) -> None:
    refuse_copy(redis.role())
    followers = redis.followers()
    keep_peers(exchange.aside(redis.DATA, stamp))
    exchange.apart("redis", [redis.DATA], stamp, redis.UNIT)
    if not answers():
        raise BackupError(
            f"Redis has its old keys again and does not answer; journalctl --unit={redis.UNIT} says why, "
            "and undo once more brings back what was restored"
        )
    await_followers(followers, say)


def discard(settings: Settings, name: str) -> list[str]:
    return exchange.discard(declared(settings, name))
