# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Who may change a service on a host, and until when. Times are the host's own seconds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace


def lease_seconds(services: t.Sequence[t.Mapping[str, t.Any]]) -> int:
    """For how many seconds a lease is good in a play with services of these settings, which wait for each other.

    It outlives two batches, however patient the gates are: who loses it can neither go on nor undo. A service that
    compares releases renews its own lease meanwhile, but not those of others.
    """
    batch = max(_batch_seconds(settings) for settings in services)
    others = max(_comparison_seconds(settings) for settings in services) if len(services) > 1 else 0.0
    return int(max(*(float(settings["app_lease_ttl"]) for settings in services), 2 * batch + others))


def migration_seconds(services: t.Sequence[t.Mapping[str, t.Any]]) -> int:
    """For how many seconds nobody renews a lease at the beginning, because migrations are at work."""
    return max(int(settings["app_migrate_timeout"]) * bool(settings["app_migrate_command"]) for settings in services)


def _batch_seconds(settings: t.Mapping[str, t.Any]) -> float:
    pause = float(settings["app_in_place_pause"]) if settings["app_strategy"] == "in_place" else 0.0
    # The gate without users, and the one with them.
    gates = 2 * float(settings["app_gate_timeout"]) + pause
    return float(settings["app_drain_timeout"]) + float(settings["app_stop_timeout"]) + gates


def _comparison_seconds(settings: t.Mapping[str, t.Any]) -> float:
    if not settings["app_metrics_gate"]:
        return 0.0
    return float(settings["app_metrics_duration"]) + float(settings["app_metrics_wait"])


@dataclass(frozen=True)
class Lease:
    """The right of one rollout to change a service on a host until ``expires``; renewed, for ``ttl`` seconds more.

    ``process`` names the process on the controller that holds it, so that the controller itself can tell a dead one.
    """

    rollout: str
    owner: str
    process: str
    taken: float
    expires: float
    ttl: float

    @classmethod
    def begun(cls, rollout: str, owner: str, process: str, now: float, ttl: float) -> Lease:
        return cls(rollout, owner, process, taken=now, expires=now + ttl, ttl=ttl)

    @classmethod
    def read(cls, stored: t.Mapping[str, t.Any]) -> Lease | None:
        """The lease in a stored mapping, or None where there is none or it cannot be read."""
        try:
            return cls(
                rollout=str(stored["rollout"]),
                owner=str(stored["owner"]),
                process=str(stored["process"]),
                taken=float(stored["taken"]),
                expires=float(stored["expires"]),
                ttl=float(stored["ttl"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def is_live(self, now: float, longest: float) -> bool:
        """Whether the lease still counts. One that lies further ahead than any lease can was written by a clock
        that has been set back since, and does not."""
        return now < self.expires <= now + longest

    def sentence(self, now: float) -> str:
        return (
            f"rollout {self.rollout} of {self.owner}, begun {max(0, now - self.taken):.0f} s ago; "
            f"unless it is renewed its lease ends in {max(0, self.expires - now):.0f} s"
        )


# No lease lasts longer than this, so a clock that was set back cannot keep one alive for ever.
LONGEST = 24 * 3600.0


class HeldError(ValueError):
    """Another rollout holds the lease."""


def take(held: Lease | None, wanted: Lease, dead: str = "", seize: bool = False) -> Lease:
    """The lease after a rollout took or renewed it.

    ``dead`` is the id of a rollout whose process is known to have ended; its lease counts no more. With ``seize`` no
    lease counts.
    Raises HeldError, naming the holder, while another rollout's lease is live.
    """
    now = wanted.taken
    if not 0 < wanted.ttl <= LONGEST:
        raise ValueError(f"ttl is {wanted.ttl}; it wants more than 0 and at most {LONGEST:.0f} seconds")
    if held is None or seize or held.rollout == dead:
        return wanted
    if held.rollout == wanted.rollout:
        return replace(wanted, taken=held.taken)
    if held.is_live(now, LONGEST):
        raise HeldError(f"another rollout is at work: {held.sentence(now)}")
    return wanted


def renew(held: Lease | None, wanted: Lease) -> Lease:
    """The lease after its rollout renewed it. Whoever lost it gets it back never, not even where it is free again.

    Raises ValueError that says who got it.
    """
    return take(_ours(held, wanted.rollout, wanted.taken), wanted)


def write(held: Lease | None, rollout: str, now: float) -> Lease:
    """The lease after a change by a rollout, which renews it.

    Raises ValueError that says who got it, for a rollout that lost its lease.
    """
    ours = _ours(held, rollout, now)
    return replace(ours, expires=now + ours.ttl)


def _ours(held: Lease | None, rollout: str, now: float) -> Lease:
    if held is None or held.rollout != rollout:
        holder = f"; it went to {held.sentence(now)}" if held is not None else ""
        raise ValueError(f"rollout {rollout} does not hold the lease any more{holder}; nothing was changed")
    return held


def write_from_outside(held: Lease | None, now: float) -> None:
    """Refuse a change by nobody's rollout while a rollout is at work. Raises ValueError that names the holder."""
    if held is not None and held.is_live(now, LONGEST):
        raise ValueError(f"refused while another rollout is at work: {held.sentence(now)}")
