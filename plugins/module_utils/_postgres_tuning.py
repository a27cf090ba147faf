# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Settings of Postgres that follow from how much memory it may take."""

from __future__ import annotations

MEGABYTE = 1 << 20
LEAST = 128 * MEGABYTE
# Postgres' own default; sorting with less is slow on any host.
LEAST_WORK = 4
MOST_MAINTENANCE = 1024


def tuning(memory: int, connections: int) -> dict[str, str]:
    """A quarter for the cache all share, a quarter for what connections do at once, some for maintenance.

    The rest is for the connections themselves, and for the kernel's cache of the files. Raises ValueError for too
    little.
    """
    if memory < LEAST:
        raise ValueError(f"postgres_memory is {memory >> 20}M; it wants at least {LEAST >> 20}M")
    if connections < 1:
        raise ValueError(f"max_connections is {connections}; it wants at least 1")
    megabytes = memory // MEGABYTE
    sizes = {
        "effective_cache_size": megabytes * 7 // 10,
        "maintenance_work_mem": min(megabytes // 20, MOST_MAINTENANCE),
        "shared_buffers": megabytes // 4,
        "work_mem": max(megabytes // 4 // connections, LEAST_WORK),
    }
    return {name: f"{size}MB" for name, size in sizes.items()}


def beyond(memory: int, total: int, beside: int = 0) -> str:
    """Why a host cannot give this much beside what it has promised to Redis; empty if it can.

    Some is left to the system and to whatever else runs.
    """
    most = max(total * 8 // 10 - beside, 0)
    if memory <= most:
        return ""
    redis = f" beside the {beside >> 20}M of redis_maxmemory" if beside else ""
    return (
        f"postgres_memory is {memory >> 20}M, but the host has {total >> 20}M, of which Postgres may take "
        f"{most >> 20}M{redis}; give it less, or the host more"
    )


def total_memory(meminfo: str) -> int:
    """Bytes of memory, from what C(/proc/meminfo) says."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise ValueError("/proc/meminfo: wanted a line MemTotal, found none")
