# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database is loaded under another name, examined, and exchanged with the live one by two renames at once."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evenkeel_backup import manifest, postgres, sets, sql
from evenkeel_backup.outcome import BackupError, DamagedError
from evenkeel_backup.restore_report import Restore, Undone
from evenkeel_backup.runs import Say
from evenkeel_backup.settings import Settings

SWITCHES = 3  # attempts
PLACE = Path("/var/lib/postgresql")


def new_name(restore: Restore) -> str:
    return sql.beside(restore.what, "new", restore.stamp)


def check(restore: Restore) -> None:
    sql.beside(restore.what, "old", restore.stamp)  # refuses a name that is too long
    if restore.server.ask("SELECT pg_is_in_recovery();") == ["t"]:
        raise BackupError("this server is a replica: restore on its primary")


def sweep(restore: Restore) -> None:
    """What restores left that were killed; nobody ever used these databases."""
    server = restore.server
    ours = re.compile(re.escape(restore.what) + r"__new_\d{8}t\d{6}z")
    for name in server.ask("SELECT datname FROM pg_database;"):
        if ours.fullmatch(name):
            server.ask(f"{sql.terminate(name)}\nDROP DATABASE {sql.identifier(name)};")


def load(restore: Restore) -> None:
    server = restore.server
    postgres.load_globals(server, restore.place)
    postgres.load(server, restore.place, restore.what, new_name(restore), restore.of.facts, postgres.processors())


def examine(restore: Restore) -> None:
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


def save(restore: Restore) -> None:
    if restore.server.has(restore.what):
        restore.save(restore.settings)


def switch(restore: Restore) -> None:
    server = restore.server
    aside = sql.beside(restore.what, "old", restore.stamp) if server.has(restore.what) else ""
    own = postgres.properties(server, restore.place, restore.what)
    restore.report.switched = rename(server, restore.what, aside, new_name(restore), own)
    restore.report.aside = [aside] if aside else []


def rename(server: postgres.Server, live_name: str, aside: str, new: str, properties: str) -> float:
    """All or nothing, and again after a session that was just beginning stood in the way; the seconds it took."""
    attempt = 1
    while True:
        try:
            return float(server.ask(f"{sql.switch(live_name, aside, new, properties)}\n{sql.SWITCHED}")[0])
        except BackupError:
            if attempt == SWITCHES:
                raise
            attempt += 1


def probe(restore: Restore) -> None:
    """The live name answers with the restored tables; if not, what was live comes back."""
    server = restore.server
    try:
        lacking = set(restore.of.facts["rows"]) - server.readable_tables(restore.what)
        if lacking:
            raise DamagedError(f"after the switch {restore.what} lacks tables: {', '.join(sorted(lacking))}")
    except BackupError:
        if restore.report.aside:
            take_back(server, restore.name, restore.report.aside[0])
        raise


def take_back(server: postgres.Server, name: str, aside: str) -> Undone:
    """Back to the database that stands aside; the restored one steps aside in turn."""
    live_name = sets.kind(name)[1]
    away = sql.beside(live_name, "old", manifest.stamp(time.time()))
    switched = rename(server, live_name, away if server.has(live_name) else "", aside, "")
    return Undone(name, [away], switched)


def standing_aside(server: postgres.Server, name: str) -> list[str]:
    """The databases that restores have set aside, oldest first."""
    ours = re.compile(re.escape(sets.kind(name)[1]) + r"__old_\d{8}t\d{6}z")
    return sorted(found for found in server.ask("SELECT datname FROM pg_database;") if ours.fullmatch(found))


def undo(settings: Settings, name: str, _say: Say) -> Undone:
    server = postgres.running(settings.postgres_port)
    aside = standing_aside(server, name)
    return take_back(server, name, aside[-1]) if aside else Undone(name)


def discard(settings: Settings, name: str) -> list[str]:
    server = postgres.running(settings.postgres_port)
    gone = standing_aside(server, name)
    for one in gone:
        server.ask(f"{sql.terminate(one)}\nDROP DATABASE {sql.identifier(one)};")
    return gone
