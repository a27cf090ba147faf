# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What retention keeps, whatever the history: ten thousand of them, good ones and mad ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from evenkeel_backup import keep
from evenkeel_backup.keep import AT_LEAST, Backup, Policy, plan
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
USUAL = Policy(last=4, daily=7, weekly=4, monthly=6, yearly=2)


def backup(taken: datetime, verified: bool = True, size: int = 1000, suffix: str = "") -> Backup:
    return Backup(taken.strftime("%Y%m%dT%H%M%SZ") + suffix, taken, verified, size)


def days(count: int) -> list[Backup]:
    """One a day, the newest now; oldest first."""
    return [backup(NOW - timedelta(days=count - 1 - number)) for number in range(count)]


def settled(history: list[Backup], policy: Policy, now: datetime) -> list[Backup]:
    """What is left once retention has run until it removes nothing more."""
    while True:
        gone = plan(history, policy, now).remove
        if not gone:
            return history
        history = [one for one in history if one.id not in gone]


def test_the_newest_of_each_period_stays() -> None:
    left = settled(days(400), Policy(last=1, daily=5, weekly=2, monthly=3, yearly=2), NOW)
    ages = [(NOW - one.taken).days for one in reversed(left)]
    # Five days; the Sunday before this one; the ends of January and December, which also ends the year.
    assert ages == [0, 1, 2, 3, 4, 7, 29, 60]


def test_every_backup_has_a_reason_or_goes() -> None:
    history = days(30)
    made = plan(history, Policy(last=5), NOW)
    assert {*made.reasons, *made.remove} == {one.id for one in history}
    assert all(made.reasons.values())


def test_the_oldest_go_first_and_not_all_at_once() -> None:
    history = days(100)
    assert plan(history, Policy(last=3), NOW).remove == [one.id for one in history[:20]]
    assert len(settled(history, Policy(last=3), NOW)) == 3


def test_forty_days_of_failing_backups_remove_nothing_that_is_verified() -> None:
    history = settled(days(60), USUAL, NOW)
    verified = {one.id for one in history}
    for day in range(1, 41):
        now = NOW + timedelta(days=day)
        history.append(backup(now, verified=False))
        gone = plan(history, USUAL, now).remove
        history = [one for one in history if one.id not in gone]
    assert verified <= {one.id for one in history}


def test_forty_days_without_a_backup_remove_nothing() -> None:
    history = settled(days(60), USUAL, NOW)
    assert all(plan(history, USUAL, NOW + timedelta(days=day)).remove == [] for day in range(40))


def test_a_damaged_one_goes_once_enough_verified_ones_are_newer() -> None:
    history = [replace(days(4)[0], verified=False), *days(4)[1:]]
    assert plan(history[:3], Policy(), NOW).remove == []
    assert plan(history, Policy(), NOW).remove == [history[0].id]


@pytest.mark.parametrize(
    ("newest", "why"),
    [
        (backup(NOW + timedelta(hours=1)), "in the future"),
        (backup(NOW, verified=False), "is not verified"),
        (backup(NOW, size=400), "less than half as large"),
    ],
)
def test_what_looks_wrong_stops_all_removal(newest: Backup, why: str) -> None:
    history = [backup(NOW - timedelta(days=number)) for number in range(30, 0, -1)]
    assert plan(history, Policy(), NOW).remove
    made = plan([*history, newest], Policy(), NOW)
    assert made.remove == []
    assert why in made.stopped
    assert {one.id for one in [*history, newest]} == set(made.reasons)


def test_a_database_that_became_small_is_believed_in_the_end() -> None:
    history = days(30)
    for number in range(1, 4):
        history.append(backup(NOW + timedelta(days=number), size=10))
    assert plan(history[:-1], Policy(), NOW + timedelta(days=2)).stopped
    assert not plan(history, Policy(), NOW + timedelta(days=3)).stopped


def test_no_policy_at_all_keeps_three() -> None:
    assert len(settled(days(50), Policy(last=0), NOW)) == AT_LEAST


# ---- ten thousand histories

# Each byte is one run: how it went, and how the clock moved before it.
LEAPS = [
    timedelta(minutes=30),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=40),
    timedelta(days=-2),
    timedelta(0),
]


def live_through(events: bytes, policy: Policy) -> None:
    """A backup after the other, retention after each: check what it did every time."""
    history: list[Backup] = []
    now = NOW
    for number, event in enumerate(events):
        now += LEAPS[event % 8]
        if event & 8:  # taken, and read through
            history.append(backup(now, size=10 if event & 16 and event & 32 else 1000, suffix=f"-{number}"))
        elif event & 16:  # taken, but damaged
            history.append(backup(now, verified=False, suffix=f"-{number}"))
        if event & 64 and event & 128 and history:  # an older one is found damaged
            at = event % len(history)
            history[at] = replace(history[at], verified=False)
        before = [one for one in history if one.verified]
        made = plan(history, policy, now)
        left = [one for one in history if one.id not in made.remove]
        verified = [one for one in left if one.verified]
        assert len(verified) >= min(len(before), max(AT_LEAST, policy.last))
        assert [one.id for one in newest_first(before)[:AT_LEAST]] == [
            one.id for one in newest_first(verified)[:AT_LEAST]
        ]
        assert not (made.stopped and made.remove)
        assert all(one.taken <= now + keep.CLOCK_SKEW for one in history) or not made.remove
        assert plan(left, policy, now).reasons.keys() <= {one.id for one in left}
        history = left


def newest_first(backups: list[Backup]) -> list[Backup]:
    return sorted(backups, key=lambda one: (one.taken, one.id), reverse=True)


@settings(max_examples=10_000)
@given(events=st.binary(max_size=24), counts=st.binary(min_size=5, max_size=5))
def test_ten_thousand_histories_keep_the_promises(events: bytes, counts: bytes) -> None:
    live_through(events, Policy(*(count % 5 for count in counts)))


def test_it_is_the_same_whatever_the_order_they_are_found_in() -> None:
    history = days(20)
    assert plan(reversed(history), USUAL, NOW) == plan(history, USUAL, NOW)
