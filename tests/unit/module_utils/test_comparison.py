# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import bisect
import itertools
import math
import random
import typing as t
from dataclasses import dataclass, replace

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._comparison import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    Judgement,
    Rules,
    compare,
    luck,
    quantile,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Counters, Growth

RULES = Rules()


@pytest.mark.parametrize("sizes", [(5, 8), (12, 3), (9, 9)])
def test_luck_is_fishers_exact_test(sizes: tuple[int, int]) -> None:
    for bad, other in itertools.product(range(sizes[0] + 1), range(sizes[1] + 1)):
        every, whole = bad + other, math.comb(sum(sizes), sizes[0])
        tail = sum(
            math.comb(every, n) * math.comb(sum(sizes) - every, sizes[0] - n)
            for n in range(bad, min(every, sizes[0]) + 1)
            if sizes[0] - n <= sum(sizes) - every
        )
        above_mean = bad * sum(sizes) > every * sizes[0]
        assert luck(bad, sizes[0], other, sizes[1]) == pytest.approx(tail / whole if above_mean else 1.0)


def test_luck_of_very_many() -> None:
    assert luck(10**5, 10**6, 10**5, 10**6) == 1.0
    assert luck(10**5, 10**6, 9 * 10**4, 10**6) < 1e-100
    assert 0.04 < luck(100_700, 10**6, 10**5, 10**6) < 0.06
    assert luck(1, 0, 1, 1) == luck(1, 1, 1, 0) == 1.0


def test_allowances_add_up() -> None:
    rules = Rules(looks=7, last_look=20, false_alarms=0.02)
    assert sum(rules.allowance(look) for look in range(1, 8)) == pytest.approx(0.02)
    assert rules.allowance(1) < rules.allowance(7) == rules.allowance(12)


def grown(requests: float, errors: float = 0, **more: t.Any) -> Growth:
    return Growth("", 7, Counters(requests, errors), Counters(), **more)


@pytest.mark.parametrize(
    ("new", "old", "look", "verdict", "over", "text"),
    [
        (grown(0), grown(0), 6, INCONCLUSIVE, True, "the new release answered 0 requests on new, wanted 300 to tell"),
        (grown(0), grown(999), 6, INCONCLUSIVE, True, "the new release answered 0 requests on new, wanted 300 to tell"),
        (grown(999), grown(7), 6, INCONCLUSIVE, True, "the old release answered 7 requests on old, wanted 300 to tell"),
        (grown(999), grown(999), 5, INCONCLUSIVE, False, "too early to tell"),
        (grown(999), grown(999), 6, PASS, True, "0.00% of 999 requests failed, with the old one 0.00% of 999 requests"),
        (grown(999, problem="refused"), grown(999), 6, INCONCLUSIVE, True, "new: refused"),
        (grown(999), grown(999, problem="refused"), 6, INCONCLUSIVE, True, "old: refused"),
        (grown(50, 50), grown(99), 1, FAIL, True, "the new release fails more often: 100.00% of 50 requests failed"),
        (grown(50, 50, problem="refused"), grown(99), 6, FAIL, True, "the new release fails more often: "),
        (grown(50, 50), grown(0), 6, INCONCLUSIVE, True, "the new release answered 50 requests"),
        # Beyond luck, but nothing that matters.
        (grown(10**6, 5000), grown(10**6, 3000), 6, PASS, True, "0.50% of 1000000 requests failed"),
        # It may matter, but may be luck.
        (grown(400, 6), grown(400, 2), 6, PASS, True, "1.50% of 400 requests failed"),
        (grown(999, 0), grown(999, 500), 6, PASS, True, "0.00% of 999 requests failed, with the old one 50.05%"),
    ],
)
def test_compare(new: Growth, old: Growth, look: int, verdict: str, over: bool, text: str) -> None:
    judgement = compare({"new": new}, {"old": old}, RULES, look)
    assert (judgement.verdict, judgement.over) == (verdict, over)
    assert judgement.text.startswith(text)


def test_without_an_old_host_nothing_can_be_told() -> None:
    judgement = compare({"new": grown(999)}, {}, RULES, 6)
    assert judgement == Judgement(INCONCLUSIVE, "there is no host on the old release to compare with", True)


def test_waiting_for_enough_requests() -> None:
    rules = replace(RULES, last_look=9)
    few, enough = {"new": grown(200)}, {"new": grown(400)}
    assert not compare(few, {"old": grown(999)}, rules, 6).over
    assert compare(enough, {"old": grown(999)}, rules, 7).verdict == PASS
    assert compare(few, {"old": grown(999)}, rules, 9) == Judgement(
        INCONCLUSIVE, "the new release answered 200 requests on new, wanted 300 to tell", True
    )


@pytest.mark.parametrize(
    ("new", "old", "text"),
    [
        (
            {"0.1": 400.0, "inf": 400.0},
            {"0.5": 400.0, "inf": 400.0},
            "the histograms of the two releases have no bound",
        ),
        ({"0.1": 400.0, "inf": 400.0}, {}, "the histograms of the two releases have no bounds in common"),
        ({"0.1": 9.0, "inf": 9.0}, {"0.1": 400.0, "inf": 400.0}, "only 9 requests of a release were timed"),
    ],
)
def test_histograms_that_cannot_be_compared(new: dict[str, float], old: dict[str, float], text: str) -> None:
    sides = [{"host": Growth("", 7, Counters(400, 0, buckets))} for buckets in (new, old)]
    judgement = compare(*sides, RULES, 6)
    assert (judgement.verdict, judgement.text[: len(text)]) == (INCONCLUSIVE, text)


@pytest.mark.parametrize(
    ("share", "seconds"),
    # From half above 0.1 s to a hundredth above 1 s, the share above t falls as a power of t.
    [(0.5, 0.1), (0.25, 0.05), (0.9, 0.258), (0.98, 0.665), (0.99, 1.0), (0.9999, 1.0)],
)
def test_quantile(share: float, seconds: float) -> None:
    buckets = {"0.1": 500.0, "1.0": 990.0, "inf": 1000.0}
    assert quantile(buckets, ["0.1", "1.0", "inf"], share) == pytest.approx(seconds, rel=0.001)


def test_a_quantile_beyond_which_nobody_was_seen() -> None:
    assert quantile({"0.1": 0.0, "1.0": 1000.0, "inf": 1000.0}, ["0.1", "1.0", "inf"], 0.99) == pytest.approx(
        10 ** -(1 - math.log(100) / math.log(2000))
    )


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"min_requests": 0}, "min_requests is 0; it wants 1 or more, for none are never a pass"),
        ({"looks": 7}, "looks is 7 and last_look 6"),
        ({"looks": 0}, "looks is 0"),
        ({"quantile": 1}, "quantile is 1"),
        ({"false_alarms": 0}, "false_alarms 0"),
        ({"max_slowdown": -1}, "max_slowdown -1"),
    ],
)
def test_rules_that_make_no_sense(wrong: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Rules(**wrong)


# ---- how often the comparison is right

BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.inf]
SIGMA = 0.7
RATE, SECONDS, LOOKS = 50, 60, 6


@dataclass(frozen=True)
class Release:
    """A service whose durations are log-normal with this 99th percentile, and of which this share fails."""

    p99: float
    errors: float

    def answers(self, number: int, dice: random.Random) -> Counters:
        median = math.log(self.p99) - 2.326 * SIGMA
        reached = [0.5 * math.erfc(-(math.log(bound) - median) / SIGMA / math.sqrt(2)) for bound in BOUNDS[:-1]]
        took = sorted(dice.random() for _request in range(number))
        counts = [float(bisect.bisect(took, share)) for share in (*reached, 1.0)]
        failed = sum(dice.random() < self.errors for _request in range(number)) if self.errors else 0
        return Counters(number, failed, dict(zip(map(str, map(float, BOUNDS)), counts, strict=True)))


def rollout(new: Release, old: Release, dice: random.Random, old_hosts: int = 2) -> str:
    """The verdict on a minute at 50 requests a second on each host."""
    sums = [Counters(), Counters()]
    for look in range(1, LOOKS + 1):
        number = RATE * SECONDS // LOOKS
        sums = [sums[0].plus(new.answers(number, dice)), sums[1].plus(old.answers(number * old_hosts, dice))]
        judgement = compare({"new": Growth("", look, sums[0])}, {"old": Growth("", look, sums[1])}, RULES, look)
        if judgement.over:
            return judgement.verdict
    raise AssertionError("the last look decides")


def share_of_fails(runs: int, seed: int, change: t.Callable[[Release], Release]) -> float:
    dice = random.Random(seed)
    fails = 0
    for _run in range(runs):
        # Somewhere between two bounds, and from hardly ever failing to failing now and then.
        old = Release(p99=math.exp(dice.uniform(math.log(0.02), math.log(2))), errors=dice.choice([0, 0.001, 0.01]))
        fails += rollout(change(old), old, dice) == FAIL
    return fails / runs


def test_two_percent_more_errors_are_found() -> None:
    found = share_of_fails(150, 1, lambda old: replace(old, errors=old.errors + 0.02))
    assert found >= 0.95, f"2 % more errors at {RATE} requests a second were found in {found:.1%} of the runs"


def test_half_as_slow_again_is_found() -> None:
    found = share_of_fails(150, 2, lambda old: replace(old, p99=old.p99 * 1.5))
    assert found >= 0.95, f"a p99 that is half as high again was found in {found:.1%} of the runs"


def test_equally_good_releases_are_hardly_ever_refused() -> None:
    refused = share_of_fails(600, 3, lambda old: old)
    assert refused <= 0.01, f"{refused:.2%} of the good releases were refused"


def test_without_the_margins_false_alarms_stay_within_their_allowance() -> None:
    """What the test alone guarantees, on counts alone, which are quick to draw."""
    dice, alarms, runs = random.Random(4), 0, 3000
    rules = replace(RULES, max_extra_errors=0)
    for _run in range(runs):
        sums = [[0, 0], [0, 0]]
        for look in range(1, LOOKS + 1):
            for side, number in ((0, 500), (1, 1000)):
                sums[side][0] += number
                sums[side][1] += round(max(0.0, dice.gauss(number * 0.02, math.sqrt(number * 0.0196))))
            sides = [{"host": Growth("", look, Counters(*counts))} for counts in sums]
            if compare(sides[0], sides[1], rules, look).verdict == FAIL:
                alarms += 1
                break
    assert 0 < alarms / runs <= 0.01, f"{alarms / runs:.2%} false alarms"
