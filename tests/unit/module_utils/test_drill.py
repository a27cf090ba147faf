# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._drill import report

BEGAN = 10_000.0


def restored(name: str, taken: float, size: int = 100, **steps: float) -> dict[str, t.Any]:
    return {
        "set": name,
        "host": "db1",
        "id": "x",
        "taken": taken,
        "bytes": size,
        "counts": {"a": 2, "b": 3},
        "steps": steps,
        "aside": [],
    }


def drilled(*sets: dict[str, t.Any], rto: float = 0, rpo: float = 0) -> dict[str, t.Any]:
    return {"rto": rto, "rpo": rpo, "restored": list(sets)}


def test_the_whole_time_and_the_oldest_data_count() -> None:
    data = drilled(restored("database/notes", BEGAN - 60, stage=4.0, load=6.0), restored("redis", BEGAN - 90))
    found = report([data], BEGAN, BEGAN + 30)
    assert found["rto"] == {"measured": 30, "projected": 30, "target": 0}
    assert found["rpo"] == {"measured": 90, "target": 0}
    assert found["restored"][0] == {
        "set": "database/notes", "host": "db1", "id": "x", "taken": BEGAN - 60, "bytes": 100, "seconds": 10, "count": 5,
    }  # fmt: skip
    assert found["met"]


def test_only_restores_grow_with_the_data_and_hosts_are_restored_at_once() -> None:
    slow = drilled(restored("database/notes", BEGAN, load=6), restored("redis", BEGAN, load=2))
    found = report([slow, drilled(restored("files/uploads", BEGAN, load=1))], BEGAN, BEGAN + 30, 3000)
    assert (found["bytes"], found["production_bytes"]) == (300, 3000)
    assert found["rto"]["projected"] == 30 + 9 * 8


@pytest.mark.parametrize(
    ("rto", "rpo", "production", "met"),
    [(30, 60, 0, True), (29, 60, 0, False), (30, 59, 0, False), (30, 60, 101, False), (0, 0, 10**9, True)],
)
def test_each_target_has_to_be_met(rto: float, rpo: float, production: int, met: bool) -> None:
    data = drilled(restored("redis", BEGAN - 60, load=10), rto=rto, rpo=rpo)
    assert report([data], BEGAN, BEGAN + 30, production)["met"] is met


def test_of_several_targets_the_strictest_counts() -> None:
    sets = restored("redis", BEGAN)
    hosts = [drilled(sets, rto=20), drilled(sets, rto=10, rpo=5), drilled(sets)]
    found = report(hosts, BEGAN, BEGAN)
    assert (found["rto"]["target"], found["rpo"]["target"]) == (10, 5)


@pytest.mark.parametrize("hosts", [[], [drilled()]])
def test_nothing_restored_is_no_success(hosts: list[dict[str, t.Any]]) -> None:
    with pytest.raises(ValueError, match="nothing was restored"):
        report(hosts, BEGAN, BEGAN)
