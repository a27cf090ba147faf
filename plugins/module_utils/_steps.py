# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What the result of a task means for a rollout, in the words of people."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

COLLECTION = "evenkeel.fleet."

PLAN = COLLECTION + "rollout_plan"
VERDICT = COLLECTION + "rollout_verdict"
LEASE = COLLECTION + "rollout_lease"


@dataclass(frozen=True)
class Event:
    """What became of a task on a host, as a callback plugin sees it.

    ``outcome`` is ok, changed, failed, ignored, unreachable or skipped. ``at`` is when, in seconds since 1970.
    ``items`` are the names of the items of a loop that changed something.
    """

    host: str
    action: str
    task: str
    outcome: str
    result: t.Mapping[str, t.Any]
    at: float = 0.0
    seconds: float = 0.0
    path: str = ""
    run_once: bool = False
    items: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.action.startswith(COLLECTION)

    @property
    def is_loop(self) -> bool:
        """Whether this is the end of a loop, whose items had events of their own."""
        return "results" in self.result

    @property
    def failed(self) -> bool:
        return self.outcome in ("failed", "unreachable")

    @property
    def message(self) -> str:
        """What the task said. A censored result says that it is censored."""
        said = self.result.get("msg") or self.result.get("censored") or ""
        return said if isinstance(said, str) else str(said)


@dataclass(frozen=True)
class Step:
    """Something that happened on a host to a service: ``did`` it, or in check mode would ``do`` it.

    ``common`` marks what most hosts do alike and nobody wants to read host by host. ``cut`` is the number of
    connections that ended with an instance.
    """

    name: str
    did: str
    do: str
    common: bool = False
    cut: int = 0


def step_of(event: Event) -> Step | None:
    """The step that a task took; None if it took none, or failed."""
    tell = _TELLERS.get(event.action.removeprefix(COLLECTION)) if event.is_ours else None
    if tell is None or event.outcome not in ("ok", "changed") or event.is_loop or "censored" in event.result:
        return None
    return tell(event.result, event.outcome == "changed")


def _release(result: t.Mapping[str, t.Any], changed: bool) -> Step | None:
    after = result.get("diff", {}).get("after", {})
    if not changed:
        return None
    if "current" in after:
        return Step("record", f"recorded {result['id']} as current", f"record {result['id']} as current", common=True)
    if result["id"] not in after.get("releases", []):
        return Step("remove", f"removed {result['id']}", f"remove {result['id']}")
    return Step("stage", f"staged {result['id']}", f"stage {result['id']}", common=True)


def _slot(result: t.Mapping[str, t.Any], changed: bool) -> Step | None:
    if not changed:
        return None
    before, after = (result.get("diff", {}).get(side, {}) for side in ("before", "after"))
    slot = after.get("slot", "")
    if after.get("running"):
        what = f"{after.get('release')} in {slot}"
        return Step("start", f"started {what}", f"start {what}", cut=result.get("connections", 0))
    what = f"{before.get('release') or 'what was'} in {slot}"
    cut = result.get("connections", 0)
    waited = f" after {result['waited']:.1f} s" if "waited" in result else ""
    lost = f", which cut {connections(cut)}" if cut else ""
    return Step("stop", f"stopped {what}{waited}{lost}", f"stop {what}", cut=cut)


def _switch(result: t.Mapping[str, t.Any], changed: bool) -> Step | None:
    if not changed:
        return None
    if result["position"] == "closed":
        return Step("switch", "closed the switch", "close the switch")
    return Step("switch", f"moved the switch to {result['position']}", f"move the switch to {result['position']}")


def _gate(result: t.Mapping[str, t.Any], _changed: bool) -> Step | None:
    if not result.get("looks"):
        return None
    return Step("gate", f"good after {result['seconds']:.1f} s", "examine it")


def _migration(result: t.Mapping[str, t.Any], _changed: bool) -> Step | None:
    return Step("migrate", f"migrated in {result.get('seconds', 0):.1f} s", "migrate")


def _comparison(result: t.Mapping[str, t.Any], _changed: bool) -> Step | None:
    if not result.get("over"):
        return None
    found = "no worse than the old one" if result["verdict"] == "pass" else "of which nothing can be told"
    return Step("compare", f"{found}: {result['text']}", "compare it with the old one")


def connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"


_TELLERS: dict[str, t.Callable[[t.Mapping[str, t.Any], bool], Step | None]] = {
    "release": _release,
    "slot": _slot,
    "traffic_switch": _switch,
    "health_gate": _gate,
    "migration": _migration,
    "metrics_gate": _comparison,
}
