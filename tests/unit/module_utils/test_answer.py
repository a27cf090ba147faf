# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._answer import (
    Answer,
    WantedReply,
    ending_of,
    json_at,
    judge_command,
    judge_http,
    judge_listener,
    judge_row,
    judge_together,
    judge_unit,
    together,
)

READY = json.dumps({"ready": True, "data": {"version": "1.1.0", "n": 3, "list": [{"x": None}], "f": 0.5}})


@pytest.mark.parametrize(
    ("status", "body", "wanted", "text"),
    [
        (200, "", {}, None),
        (204, "", {}, None),
        (200, READY, {"json": {"ready": True, "data.version": "1.1.0", "data.list.0.x": None}}, None),
        (200, READY, {"json": {"ready": "true", "data.n": "3", "data.f": "0.5"}}, None),
        (200, "all is well", {"body": r"is\s+well$"}, None),
        (503, "db\n is away", {}, "GET / answered 503, wanted 200 or 204: db is away"),
        (200, "ill", {"body": "well"}, "GET / answered 200, but its body does not match 'well': ill"),
        (200, "<html>", {"json": {"a": 1}}, "GET / answered 200, but its body is not JSON: <html>"),
        (200, "", {"json": {"a": 1}}, "GET / answered 200, but its body is not JSON"),
        (200, "{}", {"json": {"a": 1}}, "GET / answered 200, but has no a, wanted 1: {}"),
        (200, "[]", {"json": {"a": 1}}, "GET / answered 200, but has no a, wanted 1: []"),
        (200, "null", {"json": {"a": None}}, "GET / answered 200, but has no a, wanted None: null"),
        (
            200,
            READY,
            {"json": {"data.version": "1.2.0"}},
            "GET / answered 200, but data.version is '1.1.0', wanted '1.2.0'",
        ),
        (200, READY, {"json": {"ready": 1}}, "GET / answered 200, but ready is True, wanted 1"),
        (200, READY, {"json": {"ready": "True"}}, "GET / answered 200, but ready is True, wanted 'True'"),
        (200, READY, {"json": {"data.n": True}}, "GET / answered 200, but data.n is 3, wanted True"),
        (200, '{"a": "true"}', {"json": {"a": True}}, "GET / answered 200, but a is 'true', wanted True"),
    ],
)
def test_judge_http(status: int, body: str, wanted: dict[str, t.Any], text: str | None) -> None:
    answer = judge_http("GET /", status, body, 0.1, WantedReply(status=[204, 200], **wanted))
    assert answer == Answer(text is None, text or f"GET / answered {status}")
    assert bool(answer.expected and answer.got) == (not answer.ok)
    assert answer.body == ("" if answer.ok else body)


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '"\\ud800"', "\x00", "NaN"], ids=lambda b: b[:5]
)
def test_whatever_a_body_holds_it_is_judged(body: str) -> None:
    answer = judge_http("GET /", 200, body, 0.1, WantedReply(json={"a": 1}))
    assert not answer.ok
    assert len(answer.text) < 400
    assert len(answer.body) <= 2000


def test_a_late_answer() -> None:
    wanted = WantedReply(max_latency=0.25)
    assert judge_http("GET /", 200, "", 0.25, wanted).ok
    answer = judge_http("GET /", 200, "", 0.2512, wanted)
    assert answer == Answer(False, "GET / answered 200, but only after more than 0.25 s")
    assert (answer.expected, answer.got) == ("an answer within 0.25 s", "one after 0.251 s")


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


def test_restarts_that_are_known_are_no_fault_of_this_rollout() -> None:
    before = {**UNIT, "NRestarts": "3"}
    assert judge_unit("notes", before, before, restarts=3).ok
    late = {**UNIT, "NRestarts": "4"}
    answer = judge_unit("notes", late, late, restarts=3)
    assert answer == Answer(False, "notes did not stay up: systemd restarted it 4 times", True)
    assert (answer.expected, answer.got) == ("NRestarts 3", "NRestarts 4")


CRASHED = [
    "Started notes@green.service - notes in slot green.",
    "listening on 8002",
    "cannot read /etc/notes/config",
    "notes@green.service: Main process exited, code=exited, status=1/FAILURE",
    "notes@green.service: Failed with result 'exit-code'.",
    "notes@green.service: Scheduled restart job, restart counter is at 1.",
    "Started notes@green.service - notes in slot green.",
    "listening on 8002",
]


@pytest.mark.parametrize(
    ("journal", "ending"),
    [
        (CRASHED, "it exited with 1/FAILURE and said last: cannot read /etc/notes/config"),
        (CRASHED[:1] + CRASHED[3:], "it exited with 1/FAILURE"),
        (CRASHED[3:], "it exited with 1/FAILURE"),
        (["notes: Main process exited, code=dumped, status=11/SEGV"], "it was killed by signal 11/SEGV"),
        (
            [*CRASHED, "x: Main process exited, code=killed, status=9/KILL"],
            "it was killed by signal 9/KILL and said last: listening on 8002",
        ),
        (
            ["y" * 999, "x: Main process exited, code=exited, status=2/INVALIDARGUMENT"],
            f"it exited with 2/INVALIDARGUMENT and said last: {'y' * 200}",
        ),
        (CRASHED[:3], ""),
        ([], ""),
    ],
)
def test_how_a_process_ended(journal: list[str], ending: str) -> None:
    assert ending_of(journal) == ending


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ({"NRestarts": "1"}, "notes did not stay up: it exited with 1/FAILURE"),
        (
            {"ActiveState": "failed", "Result": "exit-code"},
            "notes is failed (running, exit-code), wanted active: it exited with 1/FAILURE",
        ),
    ],
)
def test_how_a_unit_ended_comes_first(seen: dict[str, str], text: str) -> None:
    assert judge_unit("notes", UNIT, {**UNIT, **seen}, "it exited with 1/FAILURE").text == text


def test_a_unit_that_was_restarted_before_the_first_look_says_how_it_ended() -> None:
    seen = {**UNIT, "NRestarts": "3"}
    text = "notes did not stay up: it was killed by signal 9/KILL (systemd restarted it 3 times)"
    assert judge_unit("notes", seen, seen, "it was killed by signal 9/KILL").text == text


def test_a_unit_of_which_nothing_is_known_is_not_healthy() -> None:
    assert not judge_unit("notes", {}, {}).ok


@pytest.mark.parametrize(
    ("listening", "strangers", "text"),
    [
        ({"1"}, [], None),
        ({"1", "2"}, [], None),
        (set(), [], "notes@green does not listen on port 8002"),
        (
            {"1", "2"},
            ["python3 (77)", "nc (5)"],
            "port 8002 does not belong to notes@green: nc (5), python3 (77) listens there",
        ),
    ],
)
def test_judge_listener(listening: set[str], strangers: list[str], text: str | None) -> None:
    answer = judge_listener("notes@green", 8002, listening, strangers)
    assert answer == Answer(text is None, text or "notes@green listens on port 8002")


ACTIVE, CRASHED = Answer(True, "active"), Answer(False, "crashed", final=True)
TAKEN = judge_listener("notes", 80, {"1"}, ["nc (5)"])
SILENT, LISTENS = judge_listener("notes", 80, [], []), judge_listener("notes", 80, {"1"}, [])


@pytest.mark.parametrize(
    ("unit", "listener", "result"),
    [
        (ACTIVE, LISTENS, LISTENS),
        (ACTIVE, SILENT, SILENT),
        (ACTIVE, TAKEN, TAKEN),
        (CRASHED, SILENT, CRASHED),
        (CRASHED, LISTENS, CRASHED),
        (CRASHED, TAKEN, Answer(False, "crashed; port 80 does not belong to notes: nc (5) listens there", final=True)),
    ],
)
def test_judge_together(unit: Answer, listener: Answer, result: Answer) -> None:
    assert judge_together(unit, listener) == result


@pytest.mark.parametrize(
    ("status", "output", "wanted", "text"),
    [
        (0, "", (0, None), None),
        (3, "", (3, None), None),
        (0, "12 rows", (0, r"\d+ rows"), None),
        (1, "no\nrows", (0, None), "command smoke ended with 1, wanted 0: no rows"),
        (-9, "", (0, None), "command smoke ended with signal 9, wanted 0"),
        (0, "none", (0, r"\d"), "command smoke ended with 0, but its output does not match '\\\\d': none"),
    ],
)
def test_judge_command(status: int, output: str, wanted: tuple[int, str | None], text: str | None) -> None:
    answer = judge_command("command smoke", status, output, *wanted)
    assert answer == Answer(text is None, text or f"command smoke ended with {status}")


@pytest.mark.parametrize(
    ("row", "wanted", "text"),
    [
        ((1,), None, None),
        ((None,), None, None),
        ((1, 2), "1", None),
        ((True,), "True", None),
        (None, None, "Postgres gave no row, wanted a row"),
        ((), "1", "Postgres gave no row, wanted '1'"),
        ((2,), "1", "Postgres gave '2', wanted '1'"),
    ],
)
def test_judge_row(row: tuple[t.Any, ...] | None, wanted: str | None, text: str | None) -> None:
    assert judge_row("Postgres", row, wanted) == Answer(text is None, text or "Postgres answered")


LOOKS = {"+": Answer(True, "good"), "-": Answer(False, "bad"), "!": Answer(False, "crashed", final=True)}


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
