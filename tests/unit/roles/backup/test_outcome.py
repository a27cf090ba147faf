# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How runs end: classes, the record that outlives them, what is told, and which promises cannot be kept."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
from datetime import UTC, datetime

import pytest
from evenkeel_backup import metrics, outcome, settings
from evenkeel_backup.outcome import ConfigError, Record

NOW = datetime(2026, 3, 4, 10, 17, tzinfo=UTC).timestamp()


def test_the_worst_of_all_sets_is_the_outcome_of_the_run() -> None:
    assert outcome.worst([]) == "ok"
    assert outcome.worst(["ok", "remote", "ok"]) == "remote"
    assert outcome.worst(["damaged", "failed", "remote"]) == "damaged"


def test_every_class_of_error_has_an_exit_status_of_its_own() -> None:
    said = {vars(value)["outcome"] for value in vars(outcome).values() if "outcome" in getattr(value, "__dict__", {})}
    assert said - {""} == set(outcome.EXIT) - {"ok"}
    assert len(set(outcome.EXIT.values())) == len(outcome.EXIT)


def test_a_record_counts_failures_and_remembers_the_last_success() -> None:
    record = outcome.finish(outcome.begin(Record(), 10), "ok", "", 20)
    assert (record.succeeded, record.failures, record.seconds, record.running) == (20, 0, 10, False)
    for at in (30, 40):
        record = outcome.finish(outcome.begin(record, at), "space", "full", at + 1)
    assert (record.succeeded, record.failures, record.outcome) == (20, 2, "space")
    assert outcome.finish(outcome.begin(record, 50), "ok", "", 51).failures == 0


def test_a_run_that_was_killed_counts_as_failed() -> None:
    killed = outcome.begin(Record(), 10)
    assert killed.running
    assert outcome.begin(killed, 20).failures == 1
    assert outcome.begin(killed, 20).outcome == "failed"


@pytest.mark.parametrize(
    ("before", "after", "subject"),
    [
        ("", "ok", ""),
        ("ok", "ok", ""),
        ("ok", "space", "fails: space"),
        ("space", "space", ""),
        ("space", "damaged", "fails: damaged"),
        ("damaged", "ok", "works again"),
        ("", "failed", "fails: failed"),
    ],
)
def test_a_mail_is_written_when_the_state_changes(before: str, after: str, subject: str) -> None:
    assert outcome.news(before, after) == subject


def test_metrics_are_what_prometheus_reads() -> None:
    seen = metrics.Metrics()
    seen.add("evenkeel_backup_bytes", 12, set='a"b\\c\nd')
    seen.add("evenkeel_job_skipped_total", 1, job="backup")
    assert seen.render().splitlines() == [
        "# HELP evenkeel_job_skipped_total Runs that found the one before still going on.",
        "# TYPE evenkeel_job_skipped_total counter",
        'evenkeel_job_skipped_total{job="backup"} 1',
        "# HELP evenkeel_backup_bytes Size of the newest good backup.",
        "# TYPE evenkeel_backup_bytes gauge",
        'evenkeel_backup_bytes{set="a\\"b\\\\c\\nd"} 12',
    ]


# ---- settings


def config(**changes: t.Any) -> str:
    given = {
        "host": "db1",
        "directory": "/b",
        "work": "/w",
        "metrics": "/m",
        "schedules": {"backup": "*/30 * * * *"},
        "timeout": "4h",
        "pings": {},
        "databases": ["notes"],
        "redis": True,
        "files": [{"name": "config", "paths": ["/etc"]}],
        "keep": {"last": 3},
        "rpo": "1h",
        "rto": "4h",
    }
    return json.dumps({**given, **changes})


def test_settings_name_their_sets() -> None:
    assert settings.parse(config()).sets == ["database/notes", "redis", "files/config"]


@pytest.mark.parametrize(
    "changes",
    [{"schedules": {"backup": "often"}}, {"timeout": "long"}, {"keep": {"hourly": 3}}, {"strange": 1}],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, t.Any]) -> None:
    with pytest.raises(ConfigError, match="not what the role backup writes"):
        settings.parse(config(**changes))


def test_one_recipient_is_not_enough() -> None:
    with pytest.raises(ConfigError, match="one age recipient is not enough"):
        settings.parse(config(recipients=["age1x", "age1x"]))
    assert settings.parse(config(recipients=["age1x", "age1y"])).recipients == ("age1x", "age1y")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, ""),
        ({"schedules": {"backup": "0 2 * * *"}}, "up to 1 d of data .* or set backup_engine to pgbackrest"),
        ({"schedules": {"backup": "0 2 * * *"}, "databases": [], "redis": True}, "up to 1 d of data"),
        ({"schedules": {"backup": "0 2 * * *"}, "repositories": [1]}, ""),
        ({"schedules": {"backup": "0 2 * * *"}, "repositories": [1], "redis": True}, "up to 1 d of data"),
        ({"schedules": {"cluster": "0 2 * * *"}, "repositories": [1], "rpo": "30s"}, "up to 1 min of data"),
        ({"schedules": {}}, ""),
    ],
)
def test_settings_that_cannot_keep_what_is_declared_are_refused(more: dict[str, t.Any], says: str) -> None:
    found = settings.impossible(settings.parse(config(**{"redis": False, "files": [], **more})), NOW)
    assert re.search(says, found) if says else found == ""


def test_promises_that_cannot_be_kept_are_told() -> None:
    half_hourly, nightly = settings.parse(config()), settings.parse(config(schedules={"backup": "0 2 * * *"}))
    assert settings.broken_promises(half_hourly, NOW, 60, 60) == []
    [loss] = settings.broken_promises(nightly, NOW, 60, 60)
    assert re.match(r"backup_rpo cannot be met: up to 1 d 1 min of data can be lost .* and 1 h are declared", loss)
    [slow] = settings.broken_promises(half_hourly, NOW, 1700, 5 * 3600)
    assert slow.startswith("backup_rto cannot be met: the last test restore took 5 h")
    assert len(settings.broken_promises(half_hourly, NOW, 1900, 0)) == 1
    undeclared = dataclasses.replace(nightly, rpo=0, rto=0)
    assert settings.broken_promises(undeclared, NOW, 60, 10**6) == []


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("4h", 14400), ("2d", 172800), (5, 5)])
def test_durations(text: str | int, seconds: int) -> None:
    assert settings.seconds(text) == seconds


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (59.6, "1 min"), (3700, "1 h 1 min"), (90061, "1 d 1 h")])
def test_durations_in_words(seconds: float, words: str) -> None:
    assert settings.words(seconds) == words
