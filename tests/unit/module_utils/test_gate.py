# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._answer import Answer
from ansible_collections.evenkeel.fleet.plugins.module_utils._gate import ENTRIES_SHOWN, Policy, Verdict, watch
from hypothesis import given
from hypothesis import strategies as st

LOOKS = {"+": Answer(True, "good"), "-": Answer(False, "bad"), "!": Answer(False, "crashed", final=True)}


def play(script: str, policy: Policy, clock: t.Any) -> Verdict:
    """Watch an instance that answers as the script says, and with its last answer for ever after."""
    answers = iter(script)
    last = LOOKS[script[-1]]
    return watch(lambda: LOOKS.get(next(answers, ""), last), policy, clock.now, clock.sleep)


@pytest.mark.parametrize(
    ("script", "healthy", "looks", "seconds", "cause"),
    [
        ("+", True, 3, 2.0, ""),
        ("-+", True, 4, 3.0, ""),
        ("++-+", True, 6, 5.0, ""),
        ("+-+-+-+", True, 9, 8.0, ""),
        ("-", False, 11, 10.0, "bad"),
        ("++-" * 3 + "++", True, 12, 11.0, ""),
        ("++-" * 4, False, 11, 10.0, "bad"),
        ("!", False, 1, 0.0, "crashed"),
        ("++!", False, 3, 2.0, "crashed"),
        ("--!", False, 3, 2.0, "crashed"),
        ("+++!", True, 3, 2.0, ""),
    ],
)
def test_good_looks_in_a_row(script: str, healthy: bool, looks: int, seconds: float, cause: str, clock: t.Any) -> None:
    policy = Policy(successes=3, interval=1, timeout=11 if healthy else 10)
    verdict = play(script, policy, clock)
    assert (verdict.healthy, verdict.looks, verdict.seconds, verdict.cause) == (healthy, looks, seconds, cause)
    assert sum(clock.naps) == seconds


@pytest.mark.parametrize(
    ("script", "seconds"),
    [
        ("+", 5.0),
        ("-+", 6.0),
        ("++++-+", 10.0),  # a relapse starts the five seconds anew
    ],
)
def test_health_has_to_last(script: str, seconds: float, clock: t.Any) -> None:
    verdict = play(script, Policy(successes=2, interval=1, min_healthy=5, timeout=20), clock)
    assert (verdict.healthy, verdict.seconds) == (True, seconds)


def test_health_that_comes_too_late(clock: t.Any) -> None:
    verdict = play("-----+", Policy(successes=2, interval=1, min_healthy=5, timeout=8), clock)
    assert (verdict.healthy, verdict.seconds, verdict.cause) == (False, 8.0, "bad")


def test_slow_looks_count_towards_the_deadline(clock: t.Any) -> None:
    def look() -> Answer:
        clock.time += 4
        return Answer(True, "good")

    verdict = watch(look, Policy(successes=4, interval=1, timeout=10), clock.now, clock.sleep)
    assert not verdict.healthy
    assert verdict.cause == "good, but for less than 0.0 s and 4 looks in a row"


def test_the_timeline_has_equal_looks_once(clock: t.Any) -> None:
    verdict = play("---++-+++", Policy(successes=3, interval=0.5, timeout=20), clock)
    assert verdict.timeline == (
        {"at": 0.0, "ok": False, "text": "bad", "times": 3},
        {"at": 1.5, "ok": True, "text": "good", "times": 2},
        {"at": 2.5, "ok": False, "text": "bad", "times": 1},
        {"at": 3.0, "ok": True, "text": "good", "times": 3},
    )


def test_the_timeline_of_what_flaps_is_short(clock: t.Any) -> None:
    verdict = play("+-" * 50 + "++", Policy(successes=2, interval=1, timeout=200), clock)
    assert len(verdict.timeline) == ENTRIES_SHOWN
    assert verdict.timeline[9]["at"] == 9.0
    assert verdict.timeline[10] == {
        "at": 10.0,
        "ok": False,
        "text": "went on like this, 41 times bad",
        "times": 82,
    }
    assert verdict.timeline[-1] == {"at": 100.0, "ok": True, "text": "good", "times": 2}
    assert sum(entry["times"] for entry in verdict.timeline) == verdict.looks


@pytest.mark.parametrize(
    ("answers", "cause", "sentence"),
    [
        ("rrrr", "refused", "not healthy after 3.0 s: refused"),
        ("r5rr", "refused", "not healthy after 3.0 s: refused"),
        ("rrr5", "500", "not healthy after 3.0 s: 500"),
        ("+5rr", "500", "not healthy after 3.0 s: 500; at last: refused"),
        ("+rrr", "refused", "not healthy after 3.0 s: refused"),
        ("5+rr", "refused", "not healthy after 3.0 s: refused"),
        ("+r+5", "refused", "not healthy after 3.0 s: refused; at last: 500"),
    ],
)
def test_the_cause_is_what_came_first(answers: str, cause: str, sentence: str, clock: t.Any) -> None:
    said = {"r": Answer(False, "refused"), "5": Answer(False, "500", got="500", body="oh"), "+": LOOKS["+"]}
    script = iter(answers)
    verdict = watch(lambda: said[next(script)], Policy(successes=3, interval=1, timeout=3), clock.now, clock.sleep)
    assert (verdict.cause, verdict.sentence) == (cause, sentence)
    assert verdict.got == ("500" if cause == "500" else "")
    assert verdict.body == ("oh" if answers.endswith("5") else "")


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ({"successes": 0}, "successes is 0"),
        ({"interval": 0}, "interval is 0"),
        ({"interval": -1}, "interval is -1"),
        ({"timeout": 0}, "timeout is 0"),
        ({"successes": 5, "interval": 1, "timeout": 3}, "5 looks every 1 s and 0.0 s of health take 4 s"),
        ({"min_healthy": 61}, "61 s of health take 61.0 s"),
        # Looks at 0, 3, 6 and 9 s: ten seconds of health are only seen at 12 s.
        ({"interval": 3, "min_healthy": 10, "timeout": 10}, "timeout is 10 s, but 3 looks every 3 s and 10 s"),
    ],
)
def test_a_gate_that_can_never_open_is_refused(policy: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Policy(**policy)


# Quarters of a second: floating-point sums are exact then, as the clock of the test is.
QUARTERS = st.integers(1, 80).map(lambda n: n / 4)


@given(
    st.text("+-!", min_size=1, max_size=30),
    st.integers(1, 5),
    QUARTERS,
    st.integers(0, 80).map(lambda n: n / 4),
    QUARTERS,
)
def test_what_a_verdict_means(script: str, successes: int, interval: float, min_healthy: float, timeout: float) -> None:
    try:
        policy = Policy(successes, interval, min_healthy, timeout)
    except ValueError:
        return
    looked: list[Answer] = []
    time = [0.0]

    def look() -> Answer:
        looked.append(LOOKS[script[min(len(looked), len(script) - 1)]])
        return looked[-1]

    verdict = watch(look, policy, lambda: time[0], lambda seconds: time.__setitem__(0, time[0] + seconds))
    streak = next((n for n, answer in enumerate(reversed(looked)) if not answer.ok), len(looked))
    assert verdict.looks == len(looked) == sum(entry["times"] for entry in verdict.timeline)
    assert verdict.seconds == time[0] <= timeout
    assert verdict.healthy == (streak >= successes and (streak - 1) * interval >= min_healthy)
    assert verdict.healthy == (not verdict.cause)
    if set(script) == {"+"}:
        assert verdict.healthy, "a policy that is accepted lets a healthy instance pass"
    if any(answer.final for answer in looked):
        assert looked[-1].final
