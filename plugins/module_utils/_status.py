# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What runs where, as a table for people."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS

COLUMNS = ("host", "service", "release", "slot", "since", "ready", "switch", "note")


def status_lines(hosts: t.Mapping[str, t.Mapping[str, t.Any] | None]) -> list[str]:
    """A table with a line for each host, then the last rollouts. None stands for a host that could not be asked."""
    rows = [_row(host, seen) for host, seen in hosts.items()]
    return [*_table(rows), "", *_history(hosts)]


def _row(host: str, seen: t.Mapping[str, t.Any] | None) -> dict[str, str]:
    if seen is None:
        return {"host": host, "note": "unreachable"}
    active = seen["switch"] if seen["switch"] in SLOTS else ""
    slot = seen["slots"].get(active, {})
    return {
        "host": host,
        "service": seen["service"],
        "release": slot.get("release", "") or "nothing",
        "slot": active,
        "since": slot.get("since", ""),
        "ready": {True: "yes", False: "no", None: ""}[seen["ready"]],
        "switch": seen["switch"],
        "note": "; ".join(_notes(seen, active)),
    }


def _notes(seen: t.Mapping[str, t.Any], active: str) -> t.Iterator[str]:
    if seen["ready"] is False:
        yield seen["answer"]
    for name in SLOTS:
        slot = seen["slots"][name]
        if name != active and slot["release"]:
            yield f"{slot['release']} in slot {name} as well"
    lease = seen["lease"]
    if lease:
        state = "in progress" if lease["live"] else "abandoned; run the playbook site to finish it"
        yield f"rollout {lease['rollout']} of {lease['owner']} {state}"


def _table(rows: t.Sequence[t.Mapping[str, str]]) -> list[str]:
    width = {name: max(len(name), *(len(row.get(name, "")) for row in rows)) for name in COLUMNS}
    heading = {name: name for name in COLUMNS}
    return ["  ".join(row.get(name, "").ljust(width[name]) for name in COLUMNS).rstrip() for row in [heading, *rows]]


def _history(hosts: t.Mapping[str, t.Mapping[str, t.Any] | None]) -> list[str]:
    """The rollouts in the journals, oldest first, each once; an outcome that only some hosts had names them."""
    rollouts: dict[tuple[str, str], tuple[dict[str, t.Any], list[str]]] = {}
    for host, seen in hosts.items():
        for entry in seen["journal"] if seen else []:
            key = (entry["rollout"], entry.get("outcome", ""))
            rollouts.setdefault(key, (entry, []))[1].append(host)
    newest_last = sorted(rollouts.values(), key=lambda item: item[0]["at"])
    return [_event(entry, where, len(hosts)) for entry, where in newest_last]


def _event(entry: t.Mapping[str, t.Any], where: t.Sequence[str], total: int) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(entry["at"]))
    hosts = "every host" if len(where) == total else ", ".join(where)
    change = f"{entry.get('from') or 'nothing'} -> {entry['to']}" if "to" in entry else entry["rollout"]
    cause = f": {entry['cause']}" if entry.get("cause") else ""
    return f"{at}  {entry['owner']}  {change}  {entry.get('outcome', '')} on {hosts} in {entry['seconds']:.0f} s{cause}"
