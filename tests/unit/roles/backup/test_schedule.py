# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When cron would have run a job, and when one was missed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from evenkeel_backup import schedule
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 4, 10, 17, 30)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("*/30 * * * *", datetime(2026, 3, 4, 10, 0)),
        ("0 2 * * *", datetime(2026, 3, 4, 2, 0)),
        ("17 10 * * *", datetime(2026, 3, 4, 10, 17)),
        ("18 10 * * *", datetime(2026, 3, 3, 10, 18)),
        ("0 */6 * * *", datetime(2026, 3, 4, 6, 0)),
        ("5,50 9-10 * * *", datetime(2026, 3, 4, 10, 5)),
        ("0 3 * * 0", datetime(2026, 3, 1, 3, 0)),
        ("0 3 * * 7", datetime(2026, 3, 1, 3, 0)),
        ("0 3 * * sun", datetime(2026, 3, 1, 3, 0)),
        ("0 3 1 * *", datetime(2026, 3, 1, 3, 0)),
        ("0 3 29 feb *", datetime(2024, 2, 29, 3, 0)),
        ("0 3 15 * mon", datetime(2026, 3, 2, 3, 0)),  # one of the two kinds of day is enough
        ("0 3 31 2 *", None),
        ("@daily", datetime(2026, 3, 4, 0, 0)),
        ("@weekly", datetime(2026, 3, 1, 0, 0)),
    ],
)
def test_the_last_time_it_was_due(text: str, before: datetime | None) -> None:
    assert schedule.parse(text).before(NOW) == before


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "* * 0 * *", "x * * * *", "5-1 * * * *", "*/0 * * * *"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"wanted five cron fields|is no cron field|is outside of"):
        schedule.parse(text)


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("*/30 * * * *", timedelta(minutes=30)),
        ("0 2 * * *", timedelta(days=1)),
        ("0 8,20 * * *", timedelta(hours=12)),
        ("0 8,10 * * *", timedelta(hours=22)),
        ("0 2 * * mon-fri", timedelta(days=3)),
    ],
)
def test_the_longest_time_between_two_runs(text: str, gap: timedelta) -> None:
    assert schedule.parse(text).widest(NOW) == gap


def test_a_run_is_missed_when_it_was_due_and_did_not_begin() -> None:
    nightly = schedule.parse("0 2 * * *")
    due = datetime(2026, 3, 4, 2, 0).timestamp()
    assert not schedule.overdue(nightly, due + 1, due + 3600, grace=90)
    assert not schedule.overdue(nightly, due - 86400, due + 60, grace=90)  # cron may yet begin it
    assert schedule.overdue(nightly, due - 86400, due + 100, grace=90)
    assert schedule.overdue(nightly, 0, due + 100, grace=90)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.integers(0, 59), st.integers(0, 23))
def test_nothing_is_due_in_the_future(now: datetime, minute: int, hour: int) -> None:
    before = schedule.parse(f"{minute} {hour} * * *").before(now)
    assert before is not None
    assert timedelta(0) <= now - before < timedelta(days=1, minutes=1)
