# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _scrape
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import METRICS
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Counters, Growth
from ansible_collections.evenkeel.fleet.plugins.module_utils._scrape import query_of, sample

DEFAULTS = {name: option.get("default") for name, option in METRICS.items()} | {"latency": ""}


def http(body: str, status: int = 200) -> list[bytes]:
    return [f"HTTP/1.1 {status} x\r\nContent-Length: {len(body.encode())}\r\n\r\n".encode(), body.encode()]


def base(server: t.Any) -> str:
    return f"http://127.0.0.1:{server.port}"


def test_from_the_service_itself(serve: t.Any) -> None:
    requests = iter((10, 25))
    server = serve(lambda: http(f'http_requests_total{{path="/",status="500"}} {next(requests)}'))
    params = {**DEFAULTS, "url": f"{base(server)}/metrics", "headers": {"X-Token": "a"}}
    first = sample(params)
    second = sample({**params, "before": json.loads(json.dumps(first.stored()))})
    assert (first.looks, first.grown, first.problem) == (1, Counters(), "")
    assert (second.looks, second.grown.requests, second.grown.errors) == (2, 15, 15)
    assert b"\r\nX-Token: a\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ("gone", 404, "/metrics answered 404, wanted 200"),
        ('http_requests_total{code="200"} 1', 200, "http_requests_total has no label status"),
    ],
)
def test_what_cannot_be_told_is_part_of_the_result(serve: t.Any, body: str, status: int, problem: str) -> None:
    growth = sample({**DEFAULTS, "url": f"{base(serve(lambda: http(body, status)))}/metrics"})
    assert growth == Growth("", 1, problem=growth.problem)
    assert problem in growth.problem


def test_metrics_that_never_end(serve: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_scrape, "LONGEST_BODY", 100)
    server = serve(lambda: http("a 1\n" * 100))
    assert "answered with more than 100 bytes" in sample({**DEFAULTS, "url": f"{base(server)}/metrics"}).problem


def test_an_expression_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"errors is '\('; it wants a regular expression"):
        sample({**DEFAULTS, "url": "http://127.0.0.1:1/", "errors": "("})


VECTOR = [
    {"metric": {"__name__": "http_requests_total", "status": "200", "instance": "app1:8000"}, "value": [1.5, "90"]},
    {"metric": {"__name__": "http_requests_total", "status": "503", "instance": "app1:8000"}, "value": [1.5, "10"]},
    {"metric": {"__name__": "process_start_time_seconds", "instance": "app1:8000"}, "value": [1.5, "1e9"]},
]


def prometheus(server: t.Any) -> dict[str, t.Any]:
    return {**DEFAULTS, "prometheus_url": f"{base(server)}/", "prometheus_labels": {"instance": "app1:8000"}}


def test_from_a_prometheus(serve: t.Any) -> None:
    server = serve(lambda: http(json.dumps({"status": "success", "data": {"result": VECTOR}})))
    growth = sample(prometheus(server))
    assert (growth.last, growth.problem) == (Counters(100, 10, {}, 1e9), "")
    target = urlsplit(server.requests[0].split()[1].decode())
    assert target.path == "/api/v1/query"
    assert parse_qs(target.query)["query"] == [
        '{__name__=~"http_requests_total|process_start_time_seconds",instance="app1:8000"}'
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<html>", "gave no vector for"),
        ('{"status": "error"}', "gave no vector for"),
        ('{"data": {"result": [{}]}}', "gave no vector for"),
        ('{"data": {"result": []}}', "knows nothing of {__name__=~"),
    ],
)
def test_a_prometheus_that_cannot_tell(serve: t.Any, body: str, problem: str) -> None:
    assert problem in sample(prometheus(serve(lambda: http(body)))).problem


def test_values_of_labels_stay_values() -> None:
    names = _scrape.Names("a", "status", "5..", "b", [])
    assert query_of(names, {"x": '"} or vector(1) #'}) == (
        r'{__name__=~"a|process_start_time_seconds|b_bucket",x="\"} or vector(1) #"}'
    )
