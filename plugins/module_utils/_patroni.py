# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a Patroni says of itself, and how far the cluster's settings are from wanted ones."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

LEADING = ("primary", "master")

Settings = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Member:
    """One member as it sees itself."""

    state: str
    role: str
    pending_restart: bool

    @property
    def running(self) -> bool:
        return self.state in ("running", "streaming")

    @property
    def leads(self) -> bool:
        return self.role in LEADING


def member_of(said: t.Mapping[str, t.Any]) -> Member:
    return Member(str(said.get("state")), str(said.get("role")), bool(said.get("pending_restart")))


def has_leader(cluster: t.Mapping[str, t.Any]) -> bool:
    return any(member.get("role") == "leader" for member in cluster.get("members", []))


def patch(seen: Settings, wanted: Settings, whole: t.Collection[str] = ()) -> dict[str, t.Any]:
    """What has to be merged into the settings seen; null takes one out.

    Settings that are not wanted stay, but for those below the named paths, such as postgresql.parameters.
    """
    changes: dict[str, t.Any] = {}
    for name, value in wanted.items():
        before = seen.get(name)
        if isinstance(value, t.Mapping):
            below = [path.partition(".")[2] for path in whole if path.split(".", 1)[0] == name]
            inner = patch(before if isinstance(before, t.Mapping) else {}, value, below)
            if inner or before is None:
                changes[name] = inner
        elif not _same(before, value):
            changes[name] = value
    if "" in whole:
        changes.update({name: None for name in seen if name not in wanted})
    return changes


def _same(before: t.Any, value: t.Any) -> bool:
    """Whether Postgres makes the same of both: it gets everything as text. 1 and true are not the same."""
    if isinstance(before, bool) or isinstance(value, bool):
        return before is value
    return before is not None and str(before) == str(value)


def merged(seen: Settings, changes: Settings) -> dict[str, t.Any]:
    """The settings after a patch, as Patroni makes them."""
    after = dict(seen)
    for name, value in changes.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, t.Mapping):
            before = after.get(name)
            after[name] = merged(before if isinstance(before, t.Mapping) else {}, value)
        else:
            after[name] = value
    return after
