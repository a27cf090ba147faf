# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the backup program keeps, and what it removes."""

from __future__ import annotations

import importlib.util
import sys
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

SOURCE = Path(__file__).resolve().parents[4] / "roles" / "backup" / "files" / "evenkeel_backup.py"
NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def load() -> t.Any:
    spec = importlib.util.spec_from_file_location(SOURCE.stem, SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[SOURCE.stem] = module
    spec.loader.exec_module(module)
    return module


backup = load()


def dump(days_old: float) -> str:
    return (NOW - timedelta(days=days_old)).strftime(backup.STAMP) + ".dump"


def test_what_is_older_than_the_limit_goes() -> None:
    names = [dump(days) for days in range(40)]
    assert backup.expired(names, NOW, 30) == [dump(days) for days in range(39, 30, -1)]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_newest_stay_however_old_they_are(count: int) -> None:
    assert backup.expired([dump(400 + days) for days in range(count)], NOW, 30) == []


def test_age_decides_beyond_the_newest() -> None:
    names = [dump(100), dump(200), dump(300), dump(400)]
    assert backup.expired(names, NOW, 30) == [dump(400)]


@pytest.mark.parametrize(
    "name",
    [
        "20200101T020000Z.dump.part",
        "20200101T020000Z.dump.sha256",
        "20209901T020000Z.dump",
        "20200101.dump",
        "notes.dump",
        ".lock",
    ],
)
def test_foreign_names_are_neither_removed_nor_counted(name: str) -> None:
    assert backup.expired([name, dump(100), dump(200), dump(300)], NOW, 30) == []


@given(
    ages=st.lists(st.floats(-400, 4000, allow_nan=False), unique=True, max_size=60),
    keep_days=st.integers(0, 400),
)
def test_retention_keeps_its_promises(ages: list[float], keep_days: int) -> None:
    names = sorted({dump(age) for age in ages})
    gone = backup.expired(names, NOW, keep_days)
    kept = [name for name in names if name not in gone]
    assert len(kept) >= min(len(names), backup.KEEP_AT_LEAST)
    assert kept[-1:] == names[-1:]
    assert all(backup.taken_at(name) < NOW - timedelta(days=keep_days) for name in gone)
    assert not gone or max(gone) < min(kept)


def test_a_backup_goes_with_its_checksum(tmp_path: Path) -> None:
    names = [dump(days) for days in (10, 20, 30, 400)]
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / f"{name}.sha256").touch()
    assert backup.expire(tmp_path, NOW, 30) == [dump(400)]
    assert sorted(path.name for path in tmp_path.glob("*.dump")) == sorted(names[:3])
    assert len(list(tmp_path.glob("*.sha256"))) == 3


def test_every_database_has_a_directory_of_its_own() -> None:
    assert [source.name for source in backup.sources(["app", "app_staging"])] == [
        "database/app",
        "database/app_staging",
        "globals",
    ]
