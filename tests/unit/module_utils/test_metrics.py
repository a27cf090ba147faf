# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Counters, Growth, Names, count, parse
from hypothesis import given
from hypothesis import strategies as st

NAMES = Names("http_requests_total", "status", "5..", "http_request_duration_seconds", ["/ready", "/metrics"])

TEXT = """\
# HELP http_requests_total Requests answered.
# TYPE http_requests_total counter
http_requests_total{method="GET",path="/notes",status="200"} 90
http_requests_total{method="GET",path="/notes",status="500"} 3 1700000000000
http_requests_total{method="GET", path="/count", status="503",} 7
http_requests_total{method="GET",path="/ready",status="503"} 1000
http_request_duration_seconds_bucket{path="/notes",le="0.1"} 80
http_request_duration_seconds_bucket{path="/notes",le="1"} 92
http_request_duration_seconds_bucket{path="/notes",le="+Inf"} 93 # {trace_id="{x}"} 0.3 1700000000
http_request_duration_seconds_bucket{path="/count",le="0.1"} 7
http_request_duration_seconds_bucket{path="/count",le="1.0"} 7
http_request_duration_seconds_bucket{path="/count",le="+Inf"} 7
http_request_duration_seconds_bucket{path="/ready",le="+Inf"} 1000
http_request_duration_seconds_sum{path="/notes"} 9.5
process_start_time_seconds 1.7e+09
go_goroutines 9
# EOF
"""


def test_count() -> None:
    counters = count(parse(TEXT), NAMES)
    assert counters == Counters(100, 10, {"0.1": 87, "1.0": 99, "inf": 100}, 1.7e9)


def test_an_empty_label_is_as_good_as_none_and_never_ignored() -> None:
    text = TEXT.replace('method="GET",path="/notes"', 'method="GET",path="/notes",tenant=""')
    names = dataclasses.replace(NAMES, ignore=[*NAMES.ignore, ""])
    assert count(parse(text), names) == count(parse(TEXT), NAMES)


@pytest.mark.parametrize(
    ("line", "series"),
    [
        ("a 1", ("a", {}, 1.0)),
        ("a{} 1", ("a", {}, 1.0)),
        ('a:b{x="}"} 1e3 123', ("a:b", {"x": "}"}, 1000.0)),
        (r'a{x="\"\\\n"} +Inf', ("a", {"x": '"\\\n'}, float("inf"))),
        (r'a{x="\q"} 2', ("a", {"x": r"\q"}, 2.0)),
        ('a {x="1"} 2', None),
        ("# a 1", None),
        ("a", None),
        ("a{x=", None),
        ("a one", None),
        ("", None),
    ],
)
def test_parse(line: str, series: t.Any) -> None:
    assert list(parse(line)) == ([series] if series else [])


@given(st.text())
def test_whatever_is_no_metrics_is_read_without_complaint(text: str) -> None:
    assert all(isinstance(value, float) for _name, _labels, value in parse(text))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.text()))
def test_labels_come_back_as_they_were(labels: dict[str, str]) -> None:
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, value in labels.items()
    }
    if any(len(f"{value}x".splitlines()) > 1 for value in escaped.values()):
        return
    line = "a{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "} 1"
    assert list(parse(line)) == [("a", labels, 1.0)]


def test_no_requests_yet_is_no_problem() -> None:
    assert count(parse("go_goroutines 9\n"), NAMES) == Counters()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('http_requests_total{code="200"} 5', "http_requests_total has no label status, so errors cannot be told"),
        ('http_requests_total{status="200"} 5', "there are requests, but no http_request_duration_seconds_bucket"),
    ],
)
def test_what_cannot_be_told_is_said(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        count(parse(text), NAMES)


def test_without_a_histogram_errors_alone_are_counted() -> None:
    names = dataclasses.replace(NAMES, latency="")
    assert count(parse('http_requests_total{status="500"} 5'), names) == Counters(5, 5)


def at(requests: float, errors: float = 0, start: float = 1, **buckets: float) -> Counters:
    return Counters(requests, errors, buckets, start)


@pytest.mark.parametrize(
    ("looks", "requests", "errors"),
    [
        ([at(100, 9)], 0, 0),
        ([at(100, 9), at(130, 10)], 30, 1),
        ([at(100, 9), at(20, 2)], 20, 2),
        ([at(100, 9), at(120, 9, start=2)], 120, 9),
        ([at(100, 9), at(130, 9), at(10, 1), at(15, 2)], 45, 2),
        ([at(100, 9), at(101, 0)], 101, 0),
        ([at(0), at(0)], 0, 0),
        ([at(100, inf=100), at(120, inf=5)], 120, 0),
    ],
)
def test_growth(looks: list[Counters], requests: float, errors: float) -> None:
    growth = Growth()
    for counters in looks:
        # A look is one run of a module, and between two of them what is known is JSON.
        growth = Growth.read(json.loads(json.dumps(growth.look(counters).stored())))
    assert (growth.looks, growth.grown.requests, growth.grown.errors) == (len(looks), requests, errors)


def test_a_look_that_fails_loses_nothing() -> None:
    growth = Growth().look(at(100, 1)).miss("refused")
    assert (growth.looks, growth.grown.requests, growth.problem) == (2, 0, "refused")
    growth = growth.look(at(150, 3))
    assert (growth.looks, growth.grown.requests, growth.grown.errors, growth.problem) == (3, 50, 2, "")
    assert Growth().miss("refused").look(at(100)).grown.requests == 0


def test_another_period_begins_anew() -> None:
    stored = Growth("batch 1").look(at(100)).look(at(150)).stored()
    assert Growth.since(stored, "batch 1").look(at(160)).grown.requests == 60
    assert Growth.since(stored, "batch 2") == Growth.since({}, "batch 2") == Growth("batch 2")
