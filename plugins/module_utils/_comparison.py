# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Is a new release worse than the old one, was it bad luck, or is there too little to tell?

The test is Fisher's exact one, one-sided: of all requests that failed on either side, how likely is it that so many
fell to the new release if both were equally good? Latency is the same question, "slower than a bound" being "failed".
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Counters, Growth

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"


@dataclass(frozen=True)
class Rules:
    """When a new release is worse: it must be so beyond luck, and by so much that it matters.

    Of the ``false_alarms`` that are put up with in all, little is spent on early looks and most on look number
    ``looks``. Later looks, up to ``last_look``, only wait for enough requests.
    """

    looks: int = 6
    last_look: int = 6
    min_requests: int = 300
    max_extra_errors: float = 0.005
    quantile: float = 0.99
    max_slowdown: float = 0.2
    false_alarms: float = 0.01

    def __post_init__(self) -> None:
        if not 1 <= self.looks <= self.last_look:
            raise ValueError(f"looks is {self.looks} and last_look {self.last_look}; wanted 1 <= looks <= last_look")
        if self.min_requests < 1:
            raise ValueError(f"min_requests is {self.min_requests}; it wants 1 or more, for none are never a pass")
        if not 0 < self.quantile < 1 or not 0 < self.false_alarms < 1:
            raise ValueError(
                f"quantile is {self.quantile} and false_alarms {self.false_alarms}; both want to be between 0 and 1"
            )
        if self.max_extra_errors < 0 or self.max_slowdown < 0:
            raise ValueError(
                f"max_extra_errors is {self.max_extra_errors} and max_slowdown {self.max_slowdown}; both want 0 or more"
            )

    def allowance(self, look: int) -> float:
        """How likely a false alarm at this look may be. They add up to ``false_alarms``, however looks depend."""
        reached = min(look, self.looks) / self.looks
        before = (min(look, self.looks) - 1) / self.looks
        return self.false_alarms * (reached**3 - before**3)


@dataclass(frozen=True)
class Judgement:
    """``over`` says that no further look can change it."""

    verdict: str
    text: str
    over: bool


def compare(new: t.Mapping[str, Growth], old: t.Mapping[str, Growth], rules: Rules, look: int) -> Judgement:
    """Compare the hosts that run the new release with those that run the old one, all of each together."""
    if not old:
        return Judgement(INCONCLUSIVE, "there is no host on the old release to compare with", over=True)
    missing = _missing(new, old, rules)
    late = look >= rules.looks
    if not late or not missing or look >= rules.last_look:
        ours, theirs = total(new.values()), total(old.values())
        allowance = rules.allowance(look) / 2
        for worse in (_errors_worse(ours, theirs, rules, allowance), _latency_worse(ours, theirs, rules, allowance)):
            if worse:
                return Judgement(FAIL, worse, over=True)
        if late and not missing:
            return Judgement(PASS, _summary(ours, theirs, rules), over=True)
    return Judgement(INCONCLUSIVE, missing or "too early to tell", over=look >= rules.last_look)


def total(growths: t.Iterable[Growth]) -> Counters:
    """All hosts of a side as one. Of buckets, those that every host has that counted a request."""
    counted = [growth.grown for growth in growths if growth.grown.requests or growth.grown.buckets]
    if not counted:
        return Counters()
    common = set.intersection(*(set(counters.buckets) for counters in counted))
    return Counters(
        sum(counters.requests for counters in counted),
        sum(counters.errors for counters in counted),
        {bound: sum(counters.buckets[bound] for counters in counted) for bound in common},
    )


def luck(bad: int, all_: int, other_bad: int, other_all: int) -> float:
    """How likely so many bad ones here are if both sides are equally good: the tail of a hypergeometric law."""
    total_bad, total_all = bad + other_bad, all_ + other_all
    if not all_ or not other_all or bad * total_all <= total_bad * all_:
        return 1.0
    log = _log_choose(total_bad, bad) + _log_choose(total_all - total_bad, all_ - bad) - _log_choose(total_all, all_)
    term = math.exp(log)
    tail = 0.0
    # Beyond the mean each term is smaller than the one before.
    for count in range(bad, min(total_bad, all_) + 1):
        tail += term
        if term < tail * 1e-12:
            break
        term *= (total_bad - count) * (all_ - count) / ((count + 1) * (total_all - total_bad - all_ + count + 1))
    return min(1.0, tail)


def _log_choose(of: int, some: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


def _errors_worse(new: Counters, old: Counters, rules: Rules, allowance: float) -> str:
    if not new.requests or not old.requests:
        return ""
    extra = new.errors / new.requests - old.errors / old.requests
    chance = luck(round(new.errors), round(new.requests), round(old.errors), round(old.requests))
    if extra > rules.max_extra_errors and chance < allowance:
        return f"the new release fails more often: {_errors(new, old)}"
    return ""


def _latency_worse(new: Counters, old: Counters, rules: Rules, allowance: float) -> str:
    bounds = sorted(set(new.buckets) & set(old.buckets), key=float)
    finite = [bound for bound in bounds if not math.isinf(float(bound))]
    if len(bounds) == len(finite) or not finite or not new.buckets["inf"] or not old.buckets["inf"]:
        return ""
    slower = quantile(new.buckets, bounds, rules.quantile)
    if slower <= quantile(old.buckets, bounds, rules.quantile) * (1 + rules.max_slowdown):
        return ""
    for bound in _bounds_around(new, old, finite, rules.quantile):
        counts = [round(side.buckets["inf"] - side.buckets[bound]) for side in (new, old)]
        if luck(counts[0], round(new.buckets["inf"]), counts[1], round(old.buckets["inf"])) < allowance / 2:
            return f"the new release is slower: {_latency(new, old, rules)}"
    return ""


def _bounds_around(new: Counters, old: Counters, finite: list[str], share: float) -> list[str]:
    """The bounds next below and above the quantile of both sides together, which favours neither."""
    whole = new.buckets["inf"] + old.buckets["inf"]
    below = [bound for bound in finite if new.buckets[bound] + old.buckets[bound] < share * whole]
    above = finite[len(below) : len(below) + 1]
    return below[-1:] + above


def quantile(buckets: t.Mapping[str, float], bounds: t.Sequence[str], share: float) -> float:
    """Estimated within a bucket by a power law, as the tails of durations fall; the last finite bound beyond it.

    An even spread, as Prometheus takes it, says next to nothing of a change within a wide bucket.
    """
    whole = buckets[bounds[-1]]
    wanted = 1 - share
    lower, above_lower = 0.0, 1.0
    for bound in bounds:
        upper = float(bound)
        above = 1 - buckets[bound] / whole
        if math.isinf(upper):
            break
        if above <= wanted:
            if lower == 0.0:
                return upper * (1 - wanted) / (1 - above)
            # Of nobody seen beyond a bound, half a request.
            fall = math.log(above_lower / max(above, 0.5 / whole))
            step = min(1.0, math.log(above_lower / wanted) / fall) if fall > 0 else 1.0
            return float(lower * (upper / lower) ** step)
        lower, above_lower = upper, above
    return lower


def _missing(new: t.Mapping[str, Growth], old: t.Mapping[str, Growth], rules: Rules) -> str:
    """Why there is too little to tell, or nothing."""
    problems = [f"{host}: {growth.problem}" for side in (new, old) for host, growth in side.items() if growth.problem]
    if problems:
        return "; ".join(problems)
    for which, side in (("new", new), ("old", old)):
        requests = round(total(side.values()).requests)
        if requests < rules.min_requests:
            return (
                f"the {which} release answered {requests} requests on {', '.join(side)}, wanted {rules.min_requests} "
                "to tell"
            )
    sides = [total(new.values()), total(old.values())]
    if any(growth.grown.buckets for side in (new, old) for growth in side.values()):
        if len(set(sides[0].buckets) & set(sides[1].buckets)) < 2:
            return "the histograms of the two releases have no bounds in common"
        timed = round(min(side.buckets.get("inf", 0.0) for side in sides))
        if timed < rules.min_requests:
            return f"only {timed} requests of a release were timed, wanted {rules.min_requests} to tell"
    return ""


def _summary(new: Counters, old: Counters, rules: Rules) -> str:
    return ", ".join(filter(None, (_errors(new, old), _latency(new, old, rules))))


def _errors(new: Counters, old: Counters) -> str:
    shares = [f"{side.errors / side.requests:.2%} of {round(side.requests)} requests" for side in (new, old)]
    return f"{shares[0]} failed, with the old one {shares[1]}"


def _latency(new: Counters, old: Counters, rules: Rules) -> str:
    bounds = sorted(set(new.buckets) & set(old.buckets), key=float)
    if not bounds or not math.isinf(float(bounds[-1])):
        return ""
    times = [quantile(side.buckets, bounds, rules.quantile) for side in (new, old)]
    return f"{rules.quantile:.4g} quantile {times[0]:.3g} s, with the old one {times[1]:.3g} s"
