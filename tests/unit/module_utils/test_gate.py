# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._gate import (
    Answer,
    Policy,
    Verdict,
    json_at,
    judge_http,
    judge_unit,
    together,
    watch,
)
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


READY = json.dumps({"ready": True, "data": {"version": "1.1.0", "n": 3, "list": [{"x": None}], "f": 0.5}})


@pytest.mark.parametrize(
    ("status", "body", "wanted", "text"),
    [
        (200, "", {}, None),
        (204, "", {}, None),
        (200, READY, {"wanted_json": {"ready": True, "data.version": "1.1.0", "data.list.0.x": None}}, None),
        (200, READY, {"wanted_json": {"ready": "true", "data.n": "3", "data.f": "0.5"}}, None),
        (200, "all is well", {"wanted_body": r"is\s+well$"}, None),
        (503, "db\n is away", {}, "GET / answered 503, wanted 200 or 204: db is away"),
        (200, "ill", {"wanted_body": "well"}, "GET / answered 200, but its body does not match 'well': ill"),
        (200, "<html>", {"wanted_json": {"a": 1}}, "GET / answered 200, but its body is not JSON: <html>"),
        (200, "", {"wanted_json": {"a": 1}}, "GET / answered 200, but its body is not JSON"),
        (200, "{}", {"wanted_json": {"a": 1}}, "GET / answered 200, but has no a, wanted 1: {}"),
        (200, "[]", {"wanted_json": {"a": 1}}, "GET / answered 200, but has no a, wanted 1: []"),
        (200, "null", {"wanted_json": {"a": None}}, "GET / answered 200, but has no a, wanted None: null"),
        (
            200,
            READY,
            {"wanted_json": {"data.version": "1.2.0"}},
            "GET / answered 200, but data.version is '1.1.0', wanted '1.2.0'",
        ),
        (200, READY, {"wanted_json": {"ready": 1}}, "GET / answered 200, but ready is True, wanted 1"),
        (200, READY, {"wanted_json": {"ready": "True"}}, "GET / answered 200, but ready is True, wanted 'True'"),
        (200, READY, {"wanted_json": {"data.n": True}}, "GET / answered 200, but data.n is 3, wanted True"),
        (200, '{"a": "true"}', {"wanted_json": {"a": True}}, "GET / answered 200, but a is 'true', wanted True"),
    ],
)
def test_judge_http(status: int, body: str, wanted: dict[str, t.Any], text: str | None) -> None:
    wants = {"wanted_status": [204, 200], "wanted_json": {}, "wanted_body": None, **wanted}
    answer = judge_http("GET /", status, body, **wants)
    assert answer == Answer(text is None, text or f"GET / answered {status}")


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '"\\ud800"', "\x00", "NaN"], ids=lambda b: b[:5]
)
def test_whatever_a_body_holds_it_is_judged(body: str) -> None:
    answer = judge_http("GET /", 200, body, [200], {"a": 1}, None)
    assert not answer.ok
    assert len(answer.text) < 400


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("data.version", (True, "1.1.0")),
        ("data.list.0", (True, {"x": None})),
        ("data.list.0.x", (True, None)),
        ("data.list.1", (False, None)),
        ("data.list.-1", (False, None)),
        ("data.list.x", (False, None)),
        ("data.version.0", (False, None)),
        ("ready.x", (False, None)),
        ("", (False, None)),
        ("data.", (False, None)),
    ],
)
def test_json_at(path: str, found: tuple[bool, t.Any]) -> None:
    assert json_at(json.loads(READY), path) == found


UNIT = {"ActiveState": "active", "SubState": "running", "Result": "success", "InvocationID": "a1", "NRestarts": "0"}


@pytest.mark.parametrize(
    ("seen", "ok", "final", "text"),
    [
        ({}, True, False, "notes is active"),
        (
            {"ActiveState": "activating", "SubState": "start"},
            False,
            False,
            "notes is activating (start, success), wanted active",
        ),
        ({"ActiveState": "reloading"}, False, False, "notes is reloading (running, success), wanted active"),
        (
            {"ActiveState": "failed", "SubState": "failed", "Result": "oom-kill"},
            False,
            True,
            "notes is failed (failed, oom-kill), wanted active",
        ),
        (
            {"ActiveState": "inactive", "SubState": "dead"},
            False,
            True,
            "notes is inactive (dead, success), wanted active",
        ),
        (
            {"InvocationID": "b2"},
            False,
            True,
            "notes did not stay up: systemd restarted it (active (running, success))",
        ),
        ({"NRestarts": "1"}, False, True, "notes did not stay up: systemd restarted it (active (running, success))"),
        (
            {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"},
            False,
            False,
            "notes is activating (auto-restart, exit-code), wanted active",
        ),
    ],
)
def test_judge_unit(seen: dict[str, str], ok: bool, final: bool, text: str) -> None:
    assert judge_unit("notes", UNIT, {**UNIT, **seen}) == Answer(ok, text, final)


def test_a_unit_that_was_restarted_before_the_first_look() -> None:
    seen = {**UNIT, "NRestarts": "3"}
    assert judge_unit("notes", seen, seen) == Answer(False, "notes did not stay up: systemd restarted it 3 times", True)


def test_a_unit_of_which_nothing_is_known_is_not_healthy() -> None:
    assert not judge_unit("notes", {}, {}).ok


@pytest.mark.parametrize(
    ("looks", "result"),
    [
        ("++", Answer(True, "good; good")),
        ("+-", Answer(False, "bad")),
        ("-!+", Answer(False, "crashed", final=True)),
        ("+", Answer(True, "good")),
    ],
)
def test_together(looks: str, result: Answer) -> None:
    assert together([LOOKS[look] for look in looks]) == result
