# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Which Postgres copies which, and what may be done to the data of one that should."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

KEEP = "keep"
CLONE = "clone"
REWIND = "rewind"

ASKED_TO_REBUILD = "run again with -e '{postgres_rebuild: true}'"
ASKED_TO_REJOIN = "run again with -e '{postgres_rejoin: true}'"


@dataclass(frozen=True)
class Data:
    """What a server's directory says of itself."""

    system: str
    timeline: int
    # The end of what it has written, if it was shut down.
    checkpoint: str
    shut_down: bool


def data_of(said: str) -> Data:
    """What C(pg_controldata) says in English."""

    def value(name: str) -> str:
        found = re.search(rf"^{re.escape(name)}:\s+(\S.*)$", said, re.MULTILINE)
        if not found:
            raise ValueError(f"pg_controldata: wanted a line {name!a}, found none")
        return found[1].strip()

    return Data(
        value("Database system identifier"),
        int(value("Latest checkpoint's TimeLineID")),
        value("Latest checkpoint location"),
        value("Database cluster state").startswith("shut down"),
    )


# Settings of which a replica wants at least as much as its primary had when it wrote what is being copied, and what
# C(pg_controldata) calls them. With less a replica does not start; a primary that gets more has it stop copying.
BOUNDED = {
    "max_connections": "max_connections setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_worker_processes": "max_worker_processes setting",
}

Settings = t.Mapping[str, t.Any]


def bounds(said: str) -> dict[str, int]:
    """The least that a replica wants of each such setting, as C(pg_controldata) says it; of a primary nothing."""
    if not re.search(r"^Database cluster state:\s+(in archive recovery|shut down in recovery)$", said, re.MULTILINE):
        return {}
    found = {name: re.search(rf"^{called}:\s+(\d+)$", said, re.MULTILINE) for name, called in BOUNDED.items()}
    return {name: int(line[1]) for name, line in found.items() if line}


def held(settings: Settings, least: t.Mapping[str, int]) -> dict[str, int]:
    """What a replica keeps instead of less, until its primary has less and it has heard of that."""
    return {name: value for name, value in least.items() if name in settings and _number(settings[name], value) < value}


def overtaken(settings: Settings, running: Settings, replicas: t.Mapping[str, Settings]) -> list[str]:
    """What a primary may not have more of yet, because one that copies it has less."""
    return [
        f"{name} is {settings[name]}, and {replica}, which copies this server, runs with {has[name]} and would stop"
        for replica, has in replicas.items()
        for name in sorted({*BOUNDED} & {*settings} & {*has})
        if _number(settings[name], 0) > max(int(has[name]), int(running[name]))
    ]


def _number(value: t.Any, otherwise: int) -> int:
    """A setting as a number. What is none the server refuses itself."""
    text = str(value)
    return int(text) if re.fullmatch(r"\d+", text) else otherwise


def position(lsn: str) -> int:
    """A place in the write-ahead log, such as 0/3000060, as a number."""
    high, _slash, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def decide(here: Data, empty: bool, primary: str, system: str, rebuild: bool, rejoin: bool) -> str:
    """What makes a server that copies nobody copy the primary. Raises ValueError where that would lose data unasked."""
    if empty or rebuild:
        return CLONE
    if here.system == system:
        if rejoin:
            return REWIND
        raise ValueError(
            f"this server has the same data as {primary} and takes writes of its own. If {primary} has taken over from "
            f"it, what it has written since is lost when it follows; to have that, {ASKED_TO_REJOIN}"
        )
    raise ValueError(
        f"this server has databases of its own, which are not those of {primary}. They would be lost; to have that, "
        f"{ASKED_TO_REBUILD}"
    )


def password_line(user: str, password: str) -> str:
    """A line of a password file."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:{user}:{escaped}\n"
