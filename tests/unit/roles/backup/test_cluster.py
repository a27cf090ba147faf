# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of pgBackRest's repositories is restored from, and what is remembered of it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from evenkeel_backup import backup, cluster, job, outcome, settings, wal
from evenkeel_backup.runs import Say

BACKUPS = {
    number: wal.Physical(f"2026010{number}-000000F", 0, number, 1000, f"{1:024X}", f"{2:024X}") for number in (1, 2)
}


class Repositories:
    """One backup in each; what is restored from which, and what that ends with where it does not go well."""

    def __init__(self) -> None:
        self.restored: list[int] = []
        self.broken: dict[int, BaseException] = {}

    def prove(self, _settings: settings.Settings, number: int, found: wal.Physical, _say: Say) -> None:
        assert found == BACKUPS[number]
        self.restored.append(number)
        if number in self.broken:
            raise self.broken[number]


@pytest.fixture
def there(here: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[settings.Settings, Repositories]:
    repositories = Repositories()
    monkeypatch.setattr(cluster.pgbackrest, "info", lambda number: wal.Repository((BACKUPS[number],)))
    monkeypatch.setattr(cluster, "prove", repositories.prove)
    both = replace(here, files=(), repositories=(1, 2))
    cluster.publish(both, BACKUPS[1])
    return both, repositories


def prove(both: settings.Settings) -> tuple[str, str]:
    return backup.restore_test(both, lambda _priority, _message: None)


def passed(both: settings.Settings) -> t.Collection[str]:
    [known] = cluster.catalogue(both)
    return known.marks.passed


def test_repositories_take_turns(there: tuple[settings.Settings, Repositories]) -> None:
    both, repositories = there
    for expected in ([1], [1, 2], [1, 2, 1]):
        assert prove(both) == ("ok", "")
        assert repositories.restored == expected
    assert "restored" in passed(both)


def test_a_repository_that_fails_is_tried_again_until_it_does_not(
    there: tuple[settings.Settings, Repositories],
) -> None:
    both, repositories = there
    repositories.broken = {2: outcome.DamagedError("no manifest")}
    assert prove(both) == ("ok", "")
    for _run in range(2):
        assert prove(both) == ("damaged", "cluster, repository 2: no manifest")
    assert repositories.restored == [1, 2, 2, 1]
    # What is known here is of the first one, which is whole.
    assert [known.marks.damaged for known in cluster.catalogue(both)] == [""]
    repositories.broken = {}
    assert prove(both) == ("ok", "")
    assert repositories.restored[4:] == [2, 1]


def test_what_is_damaged_in_the_first_repository_is_known_here(
    there: tuple[settings.Settings, Repositories],
) -> None:
    both, repositories = there
    repositories.broken = {1: outcome.DamagedError("no manifest")}
    assert prove(both)[0] == "damaged"
    assert [known.marks.damaged for known in cluster.catalogue(both)] == ["no manifest"]
    # Nothing good is left there.
    assert prove(both)[0] == "failed"
    assert repositories.restored == [1, 2]


def test_a_proof_that_was_ended_has_failed(there: tuple[settings.Settings, Repositories]) -> None:
    both, repositories = there
    repositories.broken = {1: outcome.TimedOutError("too long")}
    with pytest.raises(outcome.TimedOutError):
        prove(both)
    repositories.broken = {}
    assert prove(both) == ("ok", "")
    assert repositories.restored == [1, 1, 2]


def test_a_restore_takes_as_long_as_from_the_slowest(there: tuple[settings.Settings, Repositories]) -> None:
    both, repositories = there
    cluster.note(both, {1: wal.Proof(tried=1, seconds=50), 2: wal.Proof()})
    prove(both)
    assert repositories.restored == [2]
    assert job.restore_times(both) == {"cluster": 50}
