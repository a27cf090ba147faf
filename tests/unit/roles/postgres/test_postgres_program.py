# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import dataclasses
from pathlib import Path

from evenkeel_postgres import metrics, report
from evenkeel_postgres.indexes import Index, bloat, remains, worth_building

# As large as Postgres makes it: a million keys of 8 bytes.
FRESH = Index("public", "notes_pkey", valid=True, bytes=22487040, rows=1e6, width=8)
BLOATED = dataclasses.replace(FRESH, name="bloated", bytes=FRESH.bytes * 4)


def test_a_fresh_index_is_not_bloated() -> None:
    assert bloat(FRESH) < 0.05
    assert 0.7 < bloat(BLOATED) < 0.8


def test_of_what_nobody_knows_nothing_is_said() -> None:
    assert bloat(dataclasses.replace(BLOATED, width=None)) == 0
    assert bloat(dataclasses.replace(BLOATED, rows=0)) == 0


def test_bloated_and_invalid_indexes_are_built_anew_the_worst_first() -> None:
    invalid = dataclasses.replace(FRESH, name="invalid", valid=False)
    worse = dataclasses.replace(BLOATED, name="worse", bytes=BLOATED.bytes * 2)
    small = dataclasses.replace(BLOATED, name="small", bytes=8192, rows=1)
    assert worth_building([FRESH, invalid, BLOATED, small, worse]) == [worse, BLOATED, invalid]


def test_remains_are_dropped_and_not_built() -> None:
    left = [dataclasses.replace(FRESH, name=f"notes_pkey_cc{end}", valid=False) for end in ("new", "old", "new1")]
    named_like_it = dataclasses.replace(FRESH, name="x_ccnew")
    assert remains([FRESH, *left, named_like_it]) == left
    assert worth_building(left) == []


def test_names_are_quoted() -> None:
    assert Index("my schema", 'a"b', True, 0, 0, None).quoted == '"my schema"."a""b"'


def test_a_replica_says_how_far_it_is_behind() -> None:
    server = {"replica": 1, "replica_lag_seconds": 2.5, "replica_lag_bytes": None}
    slots = [{"slot_name": "db3", "active": 0, "lost": None, "retained": 4096}]
    text = metrics.render(metrics.server_samples(server, slots, [{"datname": "notes", "bytes": 1}]))
    assert "evenkeel_postgres_replica_lag_seconds 2.5" in text.splitlines()
    assert 'evenkeel_postgres_slot_retained_bytes{slot="db3"} 4096' in text.splitlines()
    assert 'evenkeel_postgres_database_bytes{database="notes"} 1' in text.splitlines()
    assert "lag_bytes" not in text


def test_a_job_that_fails_remembers_when_it_succeeded(tmp_path: Path) -> None:
    for now, failures in ((100.0, 0), (200.0, 2)):
        before = metrics.read(str(tmp_path), "job")
        samples = metrics.job_samples("vacuum", now, failures, before)
        metrics.write(str(tmp_path), "job", metrics.render(samples))
    lines = metrics.read(str(tmp_path), "job").splitlines()
    assert 'evenkeel_postgres_job_success_timestamp_seconds{job="vacuum"} 100' in lines
    assert 'evenkeel_postgres_job_failures{job="vacuum"} 2' in lines
    assert [path.name for path in tmp_path.iterdir()] == ["job.prom"]


def test_a_job_that_never_succeeded_does_not_say_when() -> None:
    assert "success" not in metrics.render(metrics.job_samples("vacuum", 1.0, 1, ""))


def test_a_report_is_a_table() -> None:
    rows = [
        {"database": "notes", "calls": 10, "statement": "SELECT\n  1"},
        {"database": "x", "calls": None, "statement": "y" * 200},
    ]
    lines = report.text({"Statements": rows, "Others": []}).splitlines()
    assert lines[:3] == ["Statements", "  database  calls  statement", "  notes     10     SELECT 1"]
    assert lines[3].endswith("y...")
    assert lines[-1] == "  none"
    assert max(map(len, lines)) < 130
