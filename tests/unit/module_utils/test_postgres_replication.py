# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_replication import (
    CLONE,
    REWIND,
    Data,
    bounds,
    data_of,
    decide,
    held,
    overtaken,
    parted,
    password_line,
    position,
    timeline_at,
)

SAID = """\
pg_control version number:            1300
Database system identifier:           7571234567890123456
Database cluster state:               shut down
Latest checkpoint location:           0/3000060
Latest checkpoint's REDO location:    0/3000028
Latest checkpoint's TimeLineID:       2
"""
HERE = Data("7571234567890123456", 2, "0/3000060", shut_down=True)


def action(
    system: str = "another", empty: bool = False, rebuild: bool = False, rejoin: bool = False, replica: bool = False
) -> str:
    return decide(HERE, empty, "db1", system, rebuild, rejoin, replica)


def test_a_directory_says_what_it_is() -> None:
    assert data_of(SAID) == HERE
    assert not data_of(SAID.replace("shut down", "in production")).shut_down
    with pytest.raises(ValueError, match="wanted a line 'Database system identifier'"):
        data_of("")


@pytest.mark.parametrize("system", ["another", HERE.system])
def test_a_server_without_databases_is_filled(system: str) -> None:
    assert action(system, empty=True) == CLONE


def test_a_former_primary_loses_nothing_unasked() -> None:
    with pytest.raises(ValueError, match="has the same data as db1 and takes writes of its own"):
        action(HERE.system)
    assert action(HERE.system, rejoin=True) == REWIND
    assert action(HERE.system, rebuild=True) == CLONE


def test_databases_of_others_are_not_lost_unasked() -> None:
    with pytest.raises(ValueError, match="has databases of its own, which are not those of db1"):
        action(rejoin=True)
    assert action(rebuild=True) == CLONE


def test_a_replica_gives_up_what_its_primary_has_not_only_when_asked() -> None:
    with pytest.raises(ValueError, match="has copied what db1 has not"):
        action(HERE.system, replica=True, rejoin=True)
    assert action(HERE.system, replica=True, rebuild=True) == CLONE
    # The primary was made anew, and the replica alone still has the data.
    with pytest.raises(ValueError, match="has databases of its own, which are not those of db1"):
        action(replica=True, rejoin=True)


HISTORY = "00000003.history|1\t0/3000060\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-03-01\n"


@pytest.mark.parametrize(
    ("timeline", "place", "primary", "history", "expected"),
    [
        (1, "0/3000060", 3, HISTORY, False),  # exactly where the primary went on as another
        (1, "0/3000061", 3, HISTORY, True),
        (2, "0/4FFFFFF", 3, HISTORY, False),
        (2, "0/6000000", 3, HISTORY, True),
        (3, "0/9000000", 3, HISTORY, False),
        (2, "0/3000061", 1, "", True),  # the primary went back to the timeline that the restore had left
        (4, "0/1000000", 3, HISTORY, True),
        (0, "0/9000000", 3, HISTORY, False),  # not known
    ],
)
def test_a_replica_has_parted_from_its_primary(
    timeline: int, place: str, primary: int, history: str, expected: bool
) -> None:
    assert parted(timeline, position(place), primary, history) is expected


def test_segments_say_on_which_timeline_a_place_was_reached() -> None:
    size = 16 << 20
    segments = ["000000010000000000000003", "000000020000000000000003", "000000020000000000000004"]
    assert timeline_at(segments, position("0/3000060"), size) == 2
    assert timeline_at(segments[:1], position("0/3000060"), size) == 1
    # A record that ends where a segment does was in the one before.
    assert timeline_at(segments[:1], position("0/4000000"), size) == 1
    assert timeline_at(segments, position("0/9000000"), size) == 0
    assert timeline_at(["0000000100000002000000FF"], position("2/FF000028"), size) == 1


def test_places_in_the_log_can_be_compared() -> None:
    assert position("0/3000060") == 0x3000060
    assert position("1/0") > position("0/FFFFFFFF")


def test_a_password_is_one_field_of_its_line() -> None:
    assert password_line("copier", "a:b\\c") == "*:*:*:copier:a\\:b\\\\c\n"


REPLICA = """\
Database cluster state:               in archive recovery
wal_level setting:                    replica
max_connections setting:              200
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
"""
LEAST = {
    "max_connections": 200,
    "max_locks_per_transaction": 64,
    "max_prepared_transactions": 0,
    "max_wal_senders": 10,
    "max_worker_processes": 8,
}


def test_a_replica_says_what_it_wants_at_least_and_a_primary_nothing() -> None:
    assert bounds(REPLICA) == LEAST
    assert bounds(REPLICA.replace("in archive recovery", "shut down in recovery")) == LEAST
    assert bounds(REPLICA.replace("in archive recovery", "in production")) == {}


@pytest.mark.parametrize(("wanted", "kept"), [("100", {"max_connections": 200}), (200, {}), (300, {}), ("many", {})])
def test_a_replica_keeps_what_it_would_not_start_with_less_of(wanted: object, kept: dict[str, int]) -> None:
    assert held({"max_connections": wanted, "work_mem": "8MB"}, LEAST) == kept


@pytest.mark.parametrize(("wanted", "names"), [("300", ["db4"]), (200, []), (150, []), ("many", [])])
def test_a_primary_has_no_more_than_its_replicas(wanted: object, names: list[str]) -> None:
    replicas = {"db3": {"max_connections": 300}, "db4": {"max_connections": 200}}
    said = overtaken({"max_connections": wanted, "max_wal_size": "2GB"}, {"max_connections": "200"}, replicas)
    assert [line.split(" and ")[1].split(",")[0] for line in said] == names


def test_what_a_primary_has_already_is_not_refused() -> None:
    assert overtaken({"max_connections": 300}, {"max_connections": "300"}, {"db3": {"max_connections": 200}}) == []
