# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._status import status_lines

NEW = "1.1.0-bbbbbbbbbbbb"
OLD = "1.0.0-aaaaaaaaaaaa"
EMPTY = {"release": "", "since": ""}


def seen(**changes: t.Any) -> dict[str, t.Any]:
    return {
        "service": "notes",
        "slots": {"blue": EMPTY, "green": {"release": NEW, "since": "Sat 2026-01-03 10:20:30 UTC"}},
        "switch": "green",
        "retired": False,
        "ready": True,
        "answer": "GET / answered 200",
        "lease": {},
        "journal": [],
        **changes,
    }


def test_a_healthy_host_is_one_line() -> None:
    heading, line, *_rest = status_lines({"app1": seen()})
    assert heading.split() == ["host", "service", "release", "slot", "since", "ready", "switch", "note"]
    assert line.split() == ["app1", "notes", NEW, "green", "2026-01-03", "10:20:30", "UTC", "yes", "green"]


def test_what_is_not_as_it_should_be_is_said() -> None:
    slots = {"blue": {"release": OLD, "since": ""}, "green": {"release": NEW, "since": ""}}
    lines = status_lines(
        {
            "app1": seen(slots=slots, ready=False, answer="GET /ready answered 503:\n  unavailable"),
            "app2": seen(switch="closed"),
            "app3": None,
        }
    )
    assert "no     green" in lines[1]
    assert lines[1].endswith("GET /ready answered 503: unavailable; 1.0.0-aaaaaaaaaaaa in slot blue as well")
    assert lines[2].split()[:3] == ["app2", "notes", "nothing"]
    assert lines[3].split() == ["app3", "unreachable"]


@pytest.mark.parametrize(("live", "state"), [(True, "in progress"), (False, "abandoned; run the playbook site")])
def test_a_rollout_that_goes_on_is_one_line(live: bool, state: str) -> None:
    lease = {"rollout": "r1", "owner": "ann@control", "taken": 60.0, "live": live}
    line = status_lines({"app1": seen(lease=lease), "app2": seen(), "app3": seen(lease=lease)})[4]
    assert line.startswith(f"notes: rollout r1 of ann@control, since 1970-01-01 00:01:00Z, on app1, app3: {state}")


def test_of_a_retired_host_nothing_is_wanted() -> None:
    assert status_lines({"app1": seen(retired=True, ready=False, answer="connection refused")})[1].endswith("retired")


def test_a_rollout_of_many_hosts_is_one_line_of_history() -> None:
    kept = {"at": 0, "rollout": "r1", "owner": "ann", "from": OLD, "to": NEW, "outcome": "kept", "seconds": 9.6}
    ended = {"at": 60, "rollout": "r2", "owner": "bob", "outcome": "abandoned", "seconds": 3.0}
    lines = status_lines({"app1": seen(journal=[kept | {"cut": 2}, ended]), "app2": seen(journal=[kept | {"cut": 1}])})
    assert [line.split() for line in lines[-3:]] == [
        ["when", "who", "service", "from", "to", "outcome", "took", "cut", "hosts"],
        ["1970-01-01", "00:00:00Z", "ann", "notes", OLD, NEW, "kept", "10", "s", "3", "all"],
        ["1970-01-01", "00:01:00Z", "bob", "notes", "?", "?", "abandoned", "3", "s", "0", "app1"],
    ]


def test_a_rollout_that_was_undone_says_why() -> None:
    undone = {"at": 0, "rollout": "r1", "owner": "ann", "from": "", "to": NEW, "outcome": "undone", "seconds": 9.6}
    *_others, line, cause = status_lines({"app1": seen(journal=[undone | {"cause": "GET /ready answered 503"}])})
    assert line.split()[4:7] == ["nothing", NEW, "undone"]
    assert cause == "  GET /ready answered 503"


def test_the_histories_of_two_services_stay_apart() -> None:
    kept = {"at": 0, "rollout": "r1", "owner": "ann", "from": OLD, "to": NEW, "outcome": "kept", "seconds": 9.6}
    lines = status_lines({"app1": seen(journal=[kept]), "web1": seen(service="web", journal=[kept])})
    assert [line.split()[3] for line in lines[-2:]] == ["notes", "web"]
