# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime

import pytest
from evenkeel_backup import wal
from evenkeel_backup.wal import Physical
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SIZE = 16 << 20
DAY = 86400


def segment(at: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{at // 256:08X}{at % 256:08X}"


def backup(days_ago: float, full: bool = True, timeline: int = 1, at: int = 10) -> Physical:
    stopped = NOW.timestamp() - days_ago * DAY
    label = datetime.fromtimestamp(stopped, UTC).strftime("%Y%m%d-%H%M%SF")
    return Physical(
        label if full else f"20260101-000000F_{label[:-1]}I",
        stopped - 60,
        stopped,
        1000,
        segment(at, timeline),
        segment(at + 1, timeline),
        () if full else ("20260101-000000F",),
    )


INFO: list[dict[str, t.Any]] = [
    {
        "archive": [{"id": "15-1", "max": "000000010000000000000005", "min": "000000010000000000000001"}],
        "backup": [
            {
                "archive": {"start": "000000010000000000000002", "stop": "000000010000000000000003"},
                "error": False,
                "info": {"delta": 23177686, "repository": {"delta": 2831744}, "size": 23177686},
                "label": "20261121-214645F",
                "reference": None,
                "timestamp": {"start": 1795297605, "stop": 1795297608},
                "type": "full",
            },
            {
                "archive": {"start": "000000010000000000000004", "stop": "000000010000000000000005"},
                "error": False,
                "info": {"delta": 8457, "repository": {"delta": 464}, "size": 23177685},
                "label": "20261121-214645F_20261121-214649I",
                "reference": ["20261121-214645F"],
                "timestamp": {"start": 1795297609, "stop": 1795297611},
                "type": "incr",
            },
        ],
        "db": [{"id": 1, "repo-key": 1, "system-id": 7710744381144513052, "version": "15"}],
    }
]


def test_what_pgbackrest_says_of_its_backups() -> None:
    found = wal.parse_info(json.dumps(INFO))
    assert found.system == 7710744381144513052
    assert found.archives == ("15-1",)
    full, incr = found.backups
    assert (full.bytes, full.stopped, full.needs, full.id) == (23177686, 1795297608, (), "20261121T214648Z")
    assert (incr.base, incr.needs, incr.timeline) == (full.label, (full.label,), 1)


def test_a_repository_without_a_stanza_holds_nothing() -> None:
    assert wal.parse_info("[]") == wal.Repository()
    assert wal.parse_info(json.dumps([{"backup": [], "archive": [], "db": []}])) == wal.Repository()


def test_a_backup_that_ended_with_errors_does_not_count() -> None:
    assert wal.parse_info(json.dumps([{**INFO[0], "backup": [{**INFO[0]["backup"][0], "error": True}]}])).backups == ()


@pytest.mark.parametrize("text", ["", "{}", '[{"db": [{}]}]', "[1]"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        wal.parse_info(text)


VERIFIED = """stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 5, total valid WAL: 5
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: A, status: valid, total files checked: 961, total valid files: 961
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""


def test_what_verify_says() -> None:
    assert wal.parse_verify(VERIFIED) == ({"A": ""}, "")


def test_a_damaged_backup() -> None:
    text = VERIFIED.replace("status: ok", "status: error").replace("A, status: valid", "A, status: invalid")
    backups, elsewhere = wal.parse_verify(text)
    assert backups["A"].startswith("invalid, total files checked") or backups["A"].startswith("invalid, missing: 0")
    assert elsewhere == ""


def test_damaged_wal() -> None:
    text = VERIFIED.replace("status: ok", "status: error").replace("valid WAL: 5", "valid WAL: 4")
    backups, elsewhere = wal.parse_verify(text)
    assert backups == {"A": ""}
    assert "only 4 are whole" in elsewhere


@pytest.mark.parametrize("text", ["", "stanza: main\nstatus: error\n  No usable backup.info file\n"])
def test_what_is_not_understood_is_not_taken_for_good(text: str) -> None:
    assert wal.parse_verify(text)[1]


def test_gaps_in_the_wal() -> None:
    there = [segment(at) for at in (254, 255, 256, 259)] + [segment(at, 2) for at in (258, 259)]
    assert wal.missing(there, [], SIZE) == {1: [257, 258]}
    assert wal.missing([segment(3)], [backup(1, at=4)], SIZE) == {1: [4, 5]}
    assert wal.missing([segment(4), segment(5)], [backup(1, at=4)], SIZE) == {}


def test_a_backup_lacks_what_was_written_meanwhile() -> None:
    assert wal.lacks(backup(1, at=4), {1: [5]}, SIZE)
    assert not wal.lacks(backup(1, at=4), {1: [6]}, SIZE)
    assert not wal.lacks(backup(1, at=4), {2: [5]}, SIZE)


def test_when_the_next_backup_is_full() -> None:
    now = NOW.timestamp()
    assert wal.is_due([], now, 7 * DAY)
    assert not wal.is_due([backup(6)], now, 7 * DAY)
    assert wal.is_due([backup(7)], now, 7 * DAY)
    assert wal.is_due([backup(7), backup(1, full=False)], now, 7 * DAY)


def keep(ages: t.Sequence[float], days: int, bad: t.Collection[float] = ()) -> tuple[int, str]:
    return wal.fulls_to_keep([(backup(age), age not in bad) for age in ages], days, NOW)


def test_as_many_fulls_stay_as_a_moment_of_so_many_days_needs() -> None:
    assert keep([40, 33, 26, 19, 12, 5], 30) == (5, "")
    assert keep([40, 33, 26, 19, 12, 5], 10) == (3, "")


def test_three_verified_ones_stay_whatever_is_asked_for() -> None:
    assert keep([40, 33, 26, 19, 12, 5], 0) == (3, "")
    assert keep([40, 33, 26, 19, 12, 5], 0, bad=[19, 12]) == (5, "")


def test_nothing_goes_while_the_newest_is_not_verified_or_the_clock_is_wrong() -> None:
    assert keep([40, 33, 26, 19, 12, 5], 0, bad=[5])[0] == 6
    assert keep([40, 33, 26, 19, -1], 0)[0] == 5


@settings(max_examples=500)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=30, unique_by=lambda one: one[0]),
    st.integers(0, 60),
)
def test_of_any_history_three_verified_ones_stay_and_the_window_is_whole(
    history: list[tuple[int, bool]], days: int
) -> None:
    every = sorted(history, reverse=True)
    count, _stopped = wal.fulls_to_keep([(backup(age), good) for age, good in every], days, NOW)
    kept = every[len(every) - count :]
    assert sum(good for _age, good in kept) >= min(3, sum(good for _age, good in every))
    begin = [age for age, good in every if good and age > days]
    if begin:
        assert any(good and age > days for age, good in kept)


HISTORY = (backup(9), backup(6, full=False), backup(3, full=False))


def choose(wanted: str, lineage: t.Collection[int] = (1,), good: t.Sequence[Physical] = HISTORY) -> wal.Target:
    return wal.choose(good, wanted, lineage, NOW.timestamp())


def test_targets() -> None:
    assert choose("latest") == wal.Target(HISTORY[2], "default", HISTORY[2].stopped)
    assert choose(HISTORY[1].id).kind == "immediate"
    assert choose(HISTORY[0].label).backup == HISTORY[0]
    found = choose("2026-05-27T12:00:00.25")
    assert (found.backup, found.kind, found.moment) == (HISTORY[1], "time", "2026-05-27 12:00:00.250000+00")
    assert choose("2026-05-27T14:00+02:00").moment == "2026-05-27 12:00:00.000000+00"


@pytest.mark.parametrize(
    ("wanted", "says"), [("yesterday", "neither"), ("2026-06-01T12:00:01", "yet to come"), ("2026-01-01", "as old as")]
)
def test_moments_that_cannot_be_gone_back_to(wanted: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        choose(wanted)


def test_nothing_to_restore_from() -> None:
    with pytest.raises(ValueError, match="no good backup"):
        choose("latest", good=[])


def test_what_a_restore_has_given_up_is_not_gone_on_from() -> None:
    other = [*HISTORY, backup(1, timeline=2)]
    assert choose("latest", {1}, other).backup == HISTORY[2]
    assert choose("latest", {1, 2}, other).backup == other[3]
    assert choose("latest", (), other).backup == other[3]


def test_lineage() -> None:
    history = "1\t0/5000000\tbefore 2026\n\n3\t0/7000000\tno recovery target specified\n"
    assert wal.lineage(4, history) == {1, 3, 4}
    assert wal.lineage(1, "") == {1}


def test_what_a_server_needs_to_replay() -> None:
    known = wal.control("max_connections setting:              200\nmax_prepared_xacts setting:   0\nSystem: a:b\n")
    assert wal.limits(known) == {"max_connections": "200", "max_prepared_transactions": "0"}


def test_loss_by_the_archive() -> None:
    assert wal.Archive(good=90, timeout=60, lag=5).loss(100) == 65
    assert wal.Archive(good=40, timeout=60, lag=5, problem="stuck").loss(100) == 120
    assert wal.Archive().loss(100) == 100


def test_repositories_are_proved_in_turn_and_again_where_that_failed() -> None:
    assert wal.to_prove({1: wal.Proof(), 2: wal.Proof()}) == [1]
    assert wal.to_prove({1: wal.Proof(tried=20), 2: wal.Proof(tried=10)}) == [2]
    assert wal.to_prove({1: wal.Proof(tried=20), 2: wal.Proof(tried=30, failed=True)}) == [2, 1]
    assert wal.to_prove({1: wal.Proof(failed=True), 2: wal.Proof(failed=True)}) == [1, 2]


def test_problems_of_the_archive() -> None:
    assert wal.problem(0, 60, "", 3600) == ""
    assert wal.problem(179, 60, "", 3600) == ""
    assert "180 s" in wal.problem(180.4, 60, "", 3600)
    assert wal.problem(100, 60, "", 90)
    assert "00A" in wal.problem(0, 60, "00A", 3600)
