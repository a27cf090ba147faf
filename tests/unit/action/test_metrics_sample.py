# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.action import metrics_sample
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Counters, Growth

Act = t.Callable[..., dict[str, t.Any]]
OF_PROMETHEUS = {"prometheus_url": "http://prometheus", "headers": {"Authorization": "s3cret"}}


class Asked:
    """Says what the service and the Prometheus have counted, and knows with what they were asked."""

    service, prometheus = Counters(requests=20), Counters(requests=10)
    with_what: t.ClassVar[dict[str, t.Any]] = {}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    seen = Asked()
    seen.with_what = {}

    def execute(_self: t.Any, module_args: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        seen.with_what["service"] = module_args
        return {"growth": Growth("", 1, last=seen.service).stored()}

    def sample(arguments: t.Any) -> Growth:
        seen.with_what["prometheus"] = arguments["headers"]
        return Growth("", 2, last=seen.prometheus)

    monkeypatch.setattr(metrics_sample.ActionModule, "_execute_module", execute)
    monkeypatch.setattr(metrics_sample, "sample", sample)
    return seen


def test_a_service_is_asked_by_the_module(act: Act, asked: Asked) -> None:
    assert act(metrics_sample.ActionModule, {}, url="http://service")["growth"]["last"]["requests"] == 20
    assert asked.with_what == {"service": None}


def test_a_prometheus_alone(act: Act, asked: Asked) -> None:
    assert act(metrics_sample.ActionModule, {}, **OF_PROMETHEUS)["growth"]["last"]["requests"] == 10
    assert asked.with_what == {"prometheus": {"Authorization": "s3cret"}}


def test_the_service_gets_nothing_that_is_meant_for_the_prometheus(act: Act, asked: Asked) -> None:
    act(metrics_sample.ActionModule, {}, url="http://service", requests="asked_total", **OF_PROMETHEUS)
    assert asked.with_what["service"] == {"url": "http://service", "requests": "asked_total"}


@pytest.mark.parametrize(
    ("service", "prometheus", "same"),
    [
        (Counters(requests=20), Counters(requests=10), True),
        (Counters(requests=10), Counters(requests=10), True),
        (Counters(requests=10), Counters(requests=20), False),
        (Counters(requests=20, start=1e9), Counters(requests=10, start=1e9 + 0.1), True),
        (Counters(requests=20, start=1e9), Counters(requests=10, start=1e9 - 60), False),
        (Counters(requests=10, start=1e9), Counters(requests=20), False),
    ],
)
def test_a_prometheus_that_sees_another_process_is_not_believed(
    act: Act, asked: Asked, service: Counters, prometheus: Counters, same: bool
) -> None:
    asked.service, asked.prometheus = service, prometheus
    growth = act(metrics_sample.ActionModule, {}, url="http://service", **OF_PROMETHEUS)["growth"]
    assert (growth["last"] is not None) == same
    assert growth["problem"].startswith("http://prometheus sees another process") != same
