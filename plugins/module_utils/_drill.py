# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a drill measured, against what was declared."""

from __future__ import annotations

import typing as t


def report(
    drilled: t.Sequence[t.Mapping[str, t.Any]], began: float, ended: float, production_bytes: int = 0
) -> dict[str, t.Any]:
    """RTO and RPO of a drill, in seconds, and whether they meet the targets.

    drilled: for each host what C(evenkeel-backup drill) said. Hosts are restored at the same time, the sets of a host
    one after the other. With C(production_bytes), the restores are taken to last longer by as much as that is more
    than what was restored.
    """
    restored = [one for host in drilled for one in host["restored"]]
    if not restored:
        raise ValueError("nothing was restored, so nothing was measured; the hosts of a drill want backups to restore")
    size = sum(one["bytes"] for one in restored)
    longest = max(sum(_seconds(one) for one in host["restored"]) for host in drilled)
    more = production_bytes / size - 1 if production_bytes and size else 0
    rto = {
        "measured": round(ended - began, 1),
        "projected": round(ended - began + longest * more, 1),
        "target": _strictest(drilled, "rto"),
    }
    rpo = {"measured": round(began - min(one["taken"] for one in restored), 1), "target": _strictest(drilled, "rpo")}
    return {
        "met": _within(rto["projected"], rto["target"]) and _within(rpo["measured"], rpo["target"]),
        "rto": rto,
        "rpo": rpo,
        "bytes": size,
        "production_bytes": production_bytes or size,
        "restored": [_described(one) for one in restored],
    }


def _described(one: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Of a restore what people ask for afterwards."""
    return {
        **{key: one[key] for key in ("set", "host", "id", "taken", "bytes")},
        "seconds": round(_seconds(one), 1),
        "count": sum(one["counts"].values()),
    }


def _seconds(one: t.Mapping[str, t.Any]) -> float:
    return float(sum(one["steps"].values()))


def _strictest(drilled: t.Iterable[t.Mapping[str, t.Any]], target: str) -> float:
    return float(min((host[target] for host in drilled if host[target]), default=0))


def _within(seconds: float, target: float) -> bool:
    return not target or seconds <= target
