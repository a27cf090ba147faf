# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What runs where, as a table for people."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS

# By host, what was seen there, or None.
Seen = t.Mapping[str, t.Any]

STATUS = ("host", "service", "release", "slot", "since", "ready", "switch", "note")
HISTORY = ("when", "who", "service", "from", "to", "outcome", "took", "cut", "hosts")


def status_lines(hosts: Seen) -> list[str]:
    """A table with a line for each host, what goes on, and the last rollouts. None stands for an unreachable host."""
    lines = [*_table(STATUS, [_row(host, seen) for host, seen in hosts.items()]), *_at_work(hosts)]
    history = _history(hosts)
    return [*lines, "", *history] if history else lines


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
        # The day of the week is the first word of what systemd says.
        "since": slot.get("since", "").partition(" ")[2],
        "ready": {True: "yes", False: "no", None: ""}[seen["ready"]],
        "switch": seen["switch"],
        "note": "; ".join(_notes(seen, active)),
    }


def _notes(seen: t.Mapping[str, t.Any], active: str) -> t.Iterator[str]:
    if seen["retired"]:
        yield "retired"
    elif seen["ready"] is False:
        yield " ".join(seen["answer"].split())
    for name in SLOTS:
        slot = seen["slots"][name]
        if name != active and slot["release"]:
            yield f"{slot['release']} in slot {name} as well"


def _at_work(hosts: Seen) -> t.Iterator[str]:
    """Which rollout holds the lease of which service, and where."""
    leases: dict[tuple[str, str], tuple[t.Mapping[str, t.Any], list[str]]] = {}
    for host, seen in hosts.items():
        if seen and seen["lease"]:
            leases.setdefault((seen["service"], seen["lease"]["rollout"]), (seen["lease"], []))[1].append(host)
    for (service, rollout), (lease, where) in leases.items():
        state = "in progress" if lease["live"] else "abandoned; run the playbook site to finish it"
        since = f", since {_clock(lease['taken'])}" if lease.get("taken") else ""
        yield f"{service}: rollout {rollout} of {lease['owner']}{since}, on {', '.join(where)}: {state}"


def _table(columns: t.Sequence[str], rows: t.Sequence[t.Mapping[str, str]]) -> list[str]:
    width = {name: max(len(name), *(len(row.get(name, "")) for row in rows)) for name in columns}
    heading = {name: name for name in columns}
    return ["  ".join(row.get(name, "").ljust(width[name]) for name in columns).rstrip() for row in [heading, *rows]]


def _history(hosts: Seen) -> list[str]:
    """The rollouts in the journals, oldest first, each once; an outcome that only some hosts had names them."""
    rollouts: dict[tuple[str, str, str], dict[str, dict[str, t.Any]]] = {}
    members: dict[str, int] = {}
    for host, seen in hosts.items():
        for entry in seen["journal"] if seen else []:
            key = (entry["rollout"], seen["service"] if seen else "", entry.get("outcome", ""))
            rollouts.setdefault(key, {})[host] = entry
        if seen:
            members[seen["service"]] = members.get(seen["service"], 0) + 1
    lines: list[str] = []
    oldest_first = sorted(rollouts.items(), key=lambda item: min(entry["at"] for entry in item[1].values()))
    rows = [_event(service, entries, members[service]) for (_id, service, _outcome), entries in oldest_first]
    if not rows:
        return lines
    causes = ["", *(_cause(entries) for _key, entries in oldest_first)]
    for line, cause in zip(_table(HISTORY, rows), causes, strict=True):
        lines += [line, *([f"  {cause}"] if cause else [])]
    return lines


def _event(service: str, entries: t.Mapping[str, t.Mapping[str, t.Any]], members: int) -> dict[str, str]:
    first = next(iter(entries.values()))
    return {
        "when": _clock(min(entry["at"] for entry in entries.values())),
        "who": first["owner"],
        "service": service,
        "from": ", ".join(sorted({entry.get("from") or "nothing" for entry in entries.values()}))
        if "to" in first
        else "?",
        "to": (first["to"] or "nothing") if "to" in first else "?",
        "outcome": first.get("outcome", ""),
        "took": f"{max(entry['seconds'] for entry in entries.values()):.0f} s",
        "cut": str(sum(entry.get("cut", 0) for entry in entries.values())),
        "hosts": "all" if len(entries) == members else ", ".join(entries),
    }


def _cause(entries: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    return next((str(entry["cause"]) for entry in entries.values() if entry.get("cause")), "")


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))
