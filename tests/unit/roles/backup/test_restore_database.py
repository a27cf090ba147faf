# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore of a database refuses before its switch, and takes back after it, by a server that only answers."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from evenkeel_backup import manifest, outcome, postgres, restore, restore_database, schedule, settings
from evenkeel_backup.restore_report import Report, Restore

ROWS = {"public.notes": 2, "public.users": 1}


class FakeServer:
    """A server with the live database notes, and a restored one, each with what is said here."""

    def __init__(self, counts: dict[str, int], tables: set[str], statistics: bool = True) -> None:
        self._counts, self._tables, self._statistics = counts, tables, statistics
        self.ran: list[str] = []
        self.databases: list[str] = []

    def run(self, name: str, *_words: str) -> str:
        if not self._statistics:
            raise outcome.BackupError(f"{name} failed")
        return ""

    def counts(self, _database: str) -> dict[str, int]:
        return self._counts

    def readable_tables(self, _database: str) -> set[str]:
        return self._tables

    def has(self, _database: str) -> bool:
        return True

    def ask(self, script: str) -> list[str]:
        self.ran.append(script)
        return self.databases if script == "SELECT datname FROM pg_database;" else ["0.015"]


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[FakeServer], Restore]:
    """A restore of the database notes that has reached the server."""
    here = settings.Settings(
        host="db1",
        directory=tmp_path,
        work=tmp_path,
        metrics=tmp_path,
        jobs={"backup": settings.Job("backup", schedule.parse("0 2 * * *"), 1)},
    )
    of = manifest.Manifest("database/notes", "20260101T000000Z", "db1", 0, 0, (), {"rows": ROWS})

    def begin(server: FakeServer) -> Restore:
        monkeypatch.setattr(postgres, "running", lambda _port: server)
        report = Report(of.set, of.host, of.id, of.taken, of.bytes, began=0)
        report.aside = ["notes__old_19700101t000000z"]
        return Restore(here, of.set, of, "", lambda _priority, _said: None, False, report)

    return begin


def test_what_was_counted_is_reported(begun: t.Callable[[FakeServer], Restore]) -> None:
    good = begun(FakeServer(ROWS, set(ROWS)))
    restore_database.examine(good)
    assert good.report.counts == ROWS


@pytest.mark.parametrize(
    ("server", "wrong"),
    [
        (FakeServer(ROWS | {"public.users": 0}, set(ROWS)), "other rows than the backup says: public.users"),
        (FakeServer(ROWS, set(ROWS), statistics=False), "vacuumdb failed"),
    ],
)
def test_nothing_is_switched_to_that_is_not_whole(
    begun: t.Callable[[FakeServer], Restore], server: FakeServer, wrong: str
) -> None:
    with pytest.raises(outcome.BackupError, match=wrong):
        restore_database.examine(begun(server))


def test_how_long_it_took_to_go_back_is_told(begun: t.Callable[[FakeServer], Restore]) -> None:
    server = FakeServer(ROWS, set(ROWS))
    server.databases = ["notes", "notes__old_19700101t000000z", "notes__old_19690101t000000z", "notes__old"]
    undone = restore.undo(begun(server).settings, "database/notes", lambda _priority, _said: None)
    assert "notes__old_19700101t000000z" in server.ran[-1]
    assert (undone["set"], undone["switched"], len(undone["aside"])) == ("database/notes", 0.015, 1)
    assert 0 <= undone["seconds"] < 1


def test_what_answers_after_the_switch_stays(begun: t.Callable[[FakeServer], Restore]) -> None:
    server = FakeServer(ROWS, {*ROWS, "public.made_meanwhile"})
    restore_database.probe(begun(server))
    assert server.ran == []


def test_what_lacks_a_table_after_the_switch_is_taken_back(
    begun: t.Callable[[FakeServer], Restore],
) -> None:
    """Though it may have as many as before: somebody made another one meanwhile."""
    server = FakeServer(ROWS, {"public.notes", "public.made_meanwhile"})
    with pytest.raises(outcome.DamagedError, match=r"lacks tables: public\.users"):
        restore_database.probe(begun(server))
    assert ["ALTER DATABASE" in script and "notes__old_19700101t000000z" in script for script in server.ran] == [True]
