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

XLOG_ID = 1 << 32  # bytes of the log that share the middle third of a segment's name


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


def timeline_at(segments: t.Iterable[str], place: int, size: int) -> int:
    """On which timeline a server has come to a place in the log, from the names of its segments; 0 if none has it.

    What C(pg_controldata) knows is older, after a replica has followed its primary from one timeline to the next.
    """
    high, low = divmod(place - 1, XLOG_ID)
    name = f"{high:08X}{low // size:08X}"
    return max((int(segment[:8], 16) for segment in segments if segment[8:] == name), default=0)


def parted(timeline: int, place: int, primary: int, history: str) -> bool:
    """Whether a replica has come to a place through which its primary, now on another timeline, never went.

    history: of the primary's timeline, where each of those before was left.
    """
    if timeline in (0, primary):
        return False
    left = {int(before): position(at) for before, at in re.findall(r"(\d+)\t([0-9A-F]+/[0-9A-F]+)\t", history)}
    return place > left.get(timeline, 0)


def decide(
    here: Data, empty: bool, primary: str, system: str, rebuild: bool, rejoin: bool, replica: bool = False
) -> str:
    """What makes a server that cannot follow the primary as it is do so.

    Raises ValueError where that would lose data unasked.
    """
    if empty or rebuild:
        return CLONE
    if here.system != system:
        raise ValueError(
            f"this server has databases of its own, which are not those of {primary}. They would be lost; to have "
            f"that, {ASKED_TO_REBUILD}"
        )
    if replica:
        # To rewind wants all that the primary has written since, of which a restored one has the end only.
        raise ValueError(
            f"this replica has copied what {primary} has not: {primary} was restored to an earlier moment, or another "
            f"server has taken over. To have it filled anew, and its directory kept beside, {ASKED_TO_REBUILD}"
        )
    if rejoin:
        return REWIND
    raise ValueError(
        f"this server has the same data as {primary} and takes writes of its own. If {primary} has taken over from "
        f"it, what it has written since is lost when it follows; to have that, {ASKED_TO_REJOIN}"
    )


def password_line(user: str, password: str) -> str:
    """A line of a password file."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:{user}:{escaped}\n"
