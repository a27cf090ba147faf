"""A release that is ready and yet worse than the one before is found out by what its first host answers."""

from __future__ import annotations

import re
from collections.abc import Callable

from load import Load
from trial import Service

COMPARED = {
    "app_metrics_gate": True,
    "app_metrics_duration": 12,
    "app_metrics_interval": 4,
    "app_metrics_min_requests": 100,
    # The machine of a test has other things to do than to answer in time.
    "app_metrics_max_slowdown": 100,
}
USERS = ("--connections", "8", "--rate", "120")


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
    done = notes.roll(app_environment={"TRIAL": "nobody asks"}, **COMPARED)
    assert done.status > 0
    assert "the comparison with the old release is inconclusive: the new release answered 0 requests" in done.screen
    assert notes.states() == before


def test_a_release_that_is_as_good_is_kept(
    notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    users = load(notes, *USERS)
    done = notes.roll(app_environment={"TRIAL": "as good"}, **COMPARED)
    report = users.end()
    assert done.status == 0, done.output
    assert "no worse than the old one: 0.00% of" in done.output
    nobody_noticed(report)
