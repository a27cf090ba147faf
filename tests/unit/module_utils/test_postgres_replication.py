# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_replication import (
    CLONE,
    REWIND,
    Data,
    data_of,
    decide,
    password_line,
    position,
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


def action(system: str = "another", empty: bool = False, rebuild: bool = False, rejoin: bool = False) -> str:
    return decide(HERE, empty, "db1", system, rebuild, rejoin)


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


def test_places_in_the_log_can_be_compared() -> None:
    assert position("0/3000060") == 0x3000060
    assert position("1/0") > position("0/FFFFFFFF")


def test_a_password_is_one_field_of_its_line() -> None:
    assert password_line("copier", "a:b\\c") == "*:*:*:copier:a\\:b\\\\c\n"
