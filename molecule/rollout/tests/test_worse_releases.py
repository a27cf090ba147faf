"""A release that is ready and yet worse than the one before is found out by what its first host answers."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable

import fleet
import pytest
from load import Load
from trial import TASK_BY_TASK, Service

COMPARED = {
    "app_metrics_gate": True,
    "app_metrics_duration": 12,
    "app_metrics_interval": 4,
    "app_metrics_min_requests": 100,
    # The machine of a test has other things to do than to answer in time.
    "app_metrics_max_slowdown": 100,
}
# Where there is nothing to be found, it is found soon.
SHORT = COMPARED | {"app_metrics_duration": 4, "app_metrics_interval": 2, "app_metrics_min_requests": 50}
USERS = ("--connections", "8", "--rate", "120")
UPDATE = ("site.yml", "--tags", "app")


def test_a_release_that_fails_now_and_then_goes_back(notes: Service, load: Callable[..., Load]) -> None:
    before, old = notes.states(), notes.versions()
    users = load(notes, *USERS)
    done = notes.roll(app_environment={"FAULT": "some_errors"}, **COMPARED)
    report = users.end()
    assert done.status > 0
    assert re.search(r"the new release fails more often: \d\.\d\d% of \d+ requests failed", done.screen), done.output
    assert (notes.states(), notes.versions()) == (before, old)
    # Users of the first host got those errors, which is the price of the comparison, and no others.
    assert set(report["by_status"]) == {"200", "201", "500"}
    assert report["failed"] == report["by_status"]["500"] < report["requests"] * 0.04


def test_without_users_nothing_can_be_told(notes: Service) -> None:
    before = notes.states()
    done = notes.roll(app_environment={"TRIAL": "nobody asks"}, **SHORT)
    assert done.status > 0
    assert "the comparison with the old release is inconclusive: the new release answered 0 requests" in done.screen
    assert notes.states() == before


def test_without_users_it_is_kept_if_that_is_wanted(notes: Service) -> None:
    done = notes.roll(app_environment={"TRIAL": "pass"}, app_metrics_on_inconclusive="pass", **SHORT)
    assert done.status == 0, done.output
    assert "is inconclusive: the new release answered 0 requests" in done.output
    assert "(on_inconclusive: pass)" in done.output


def test_a_comparison_waits_for_users_if_that_is_wanted(
    notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    waiting = SHORT | {"app_metrics_on_inconclusive": "wait", "app_metrics_wait": 60}
    play = notes.begin(*UPDATE, environment=TASK_BY_TASK, app_environment={"TRIAL": "wait"}, **waiting)
    for _look in range(4):
        play.wait_for_output("compare | Tell whether the new one is worse")
    users = load(notes, *USERS)
    done = play.end()
    report = users.end()
    assert done.status == 0, done.output
    nobody_noticed(report, at_least=150)


def test_a_release_that_is_as_good_is_kept(
    notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    users = load(notes, *USERS)
    done = notes.roll(app_environment={"TRIAL": "as good"}, **SHORT)
    report = users.end()
    assert done.status == 0, done.output
    assert "no worse than the old one: 0.00% of" in done.output
    nobody_noticed(report)


# ---- as a Prometheus has seen it

PROMETHEUS = """
mkdir -p /etc/prometheus && cat > /etc/prometheus/prometheus.yml <<'END'
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: notes
    static_configs: {targets}
END
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-install-recommends --option Dpkg::Options::=--force-confold prometheus
"""


@pytest.fixture(scope="module")
def prometheus(notes: Service) -> str:
    """The URL of one on the host of the database, which knows the instances by the names of their hosts."""
    host = "db1"
    targets = [
        {"targets": [f"{address}:8000"], "labels": {"instance": f"{name}:8000"}}
        for name, address in notes.addresses.items()
    ]
    inside = ("docker", "exec", fleet.container(notes.fleet, host), "sh", "-ec")
    fleet.run(*inside, PROMETHEUS.format(targets=json.dumps(targets)))
    url = f"http://{fleet.addresses_of(notes.inventory)[host]}:9090"
    fleet.wait_for("three instances in Prometheus", knows_all, url)
    return url


def knows_all(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query=up", timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return False
    return [entry["value"][1] for entry in found] == ["1"] * 3


def test_a_prometheus_tells_a_bad_release(prometheus: str, notes: Service, load: Callable[..., Load]) -> None:
    before = notes.states()
    users = load(notes, *USERS)
    bad = COMPARED | {"app_metrics_prometheus_url": prometheus, "app_environment": {"FAULT": "some_errors"}}
    done = notes.roll(**bad)
    report = users.end()
    assert done.status > 0
    assert re.search(r"the new release fails more often: \d\.\d\d% of \d+ requests failed", done.screen), done.output
    assert notes.states() == before
    assert set(report["by_status"]) == {"200", "201", "500"}


def test_a_prometheus_tells_a_good_release(
    prometheus: str, notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    users = load(notes, *USERS)
    good = SHORT | {"app_metrics_prometheus_url": prometheus, "app_environment": {"TRIAL": "prometheus"}}
    done = notes.roll(**good)
    report = users.end()
    assert done.status == 0, done.output
    assert "no worse than the old one: 0.00% of" in done.output
    nobody_noticed(report)


def test_without_a_prometheus_nothing_can_be_told(notes: Service) -> None:
    nobody = f"http://{notes.addresses['app1']}:9"
    done = notes.roll(app_environment={"TRIAL": "nobody knows"}, app_metrics_prometheus_url=nobody, **SHORT)
    assert done.status > 0
    assert re.search(rf"is inconclusive: .*{re.escape(nobody)}", done.screen), done.output
