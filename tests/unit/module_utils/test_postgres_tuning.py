# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_tuning import beyond, total_memory, tuning

GIGABYTE = 1 << 30


def test_settings_follow_from_the_memory() -> None:
    assert tuning(8 * GIGABYTE, 200) == {
        "effective_cache_size": "5734MB",
        "maintenance_work_mem": "409MB",
        "shared_buffers": "2048MB",
        "work_mem": "10MB",
    }


def test_there_is_a_least_and_a_most() -> None:
    assert tuning(GIGABYTE, 200)["work_mem"] == "4MB"
    assert tuning(256 * GIGABYTE, 200)["maintenance_work_mem"] == "1024MB"


@pytest.mark.parametrize("gigabytes", [4, 8, 64, 512])
@pytest.mark.parametrize("connections", [1, 20, 200])
def test_all_of_it_together_stays_below_the_memory(gigabytes: int, connections: int) -> None:
    sizes = {name: int(size.removesuffix("MB")) for name, size in tuning(gigabytes * GIGABYTE, connections).items()}
    at_most = sizes["shared_buffers"] + sizes["work_mem"] * connections + 3 * sizes["maintenance_work_mem"]
    assert at_most <= gigabytes * 1024 * 7 // 10


@pytest.mark.parametrize(
    ("memory", "connections", "complaint"),
    [(64 << 20, 200, "postgres_memory is 64M; it wants at least 128M"), (GIGABYTE, 0, "max_connections is 0")],
)
def test_too_little_is_refused(memory: int, connections: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        tuning(memory, connections)


def test_a_host_keeps_a_fifth_of_its_memory() -> None:
    assert beyond(8 * GIGABYTE, 10 * GIGABYTE) == ""
    assert beyond(9 * GIGABYTE, 10 * GIGABYTE).startswith("postgres_memory is 9216M, but the host has 10240M")


def test_redis_on_the_same_host_has_its_part() -> None:
    assert beyond(7 * GIGABYTE, 10 * GIGABYTE, beside=GIGABYTE) == ""
    assert "may take 7168M beside the 1024M of redis_maxmemory" in beyond(8 * GIGABYTE, 10 * GIGABYTE, beside=GIGABYTE)
    assert "may take 0M" in beyond(GIGABYTE, GIGABYTE, beside=GIGABYTE)


def test_the_host_says_how_much_it_has() -> None:
    assert total_memory("MemTotal:        2048 kB\nMemFree: 1 kB\n") == 2 << 20
    with pytest.raises(ValueError, match="wanted a line MemTotal"):
        total_memory("")
