"""A program that must not run twice on a host: one host after the other closes, and nobody notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from load import Load
from trial import Service

# The second batch begins when balancers send requests to the first host again.
IN_PLACE = {"app_strategy": "in_place", "app_min_available": "1", "app_in_place_pause": 3}
OLD, NEW = IN_PLACE | {"app_version": "1.0.0"}, IN_PLACE | {"app_version": "1.1.0"}

# A release that is good on one host and bad on the next one.
LOCAL = "/var/lib/notes/local.conf"
BAD_ON_APP2 = OLD | {"app_command": ["notes", "--config", LOCAL]}


@pytest.fixture(scope="module", autouse=True)
def first_version(notes: Service) -> None:
    notes.ensure("1.0.0")


@pytest.fixture
def local_faults(notes: Service) -> Iterator[None]:
    for host in notes.addresses:
        fault = "never_ready" if host == "app2" else "none"
        notes.on(host, f"echo FAULT={fault} > {LOCAL}; chmod 644 {LOCAL}")
    yield
    for host in notes.addresses:
        notes.on(host, f"rm {LOCAL}")


def test_a_pause_that_is_too_short_for_the_balancer_is_refused_before_anything_is_touched(notes: Service) -> None:
    before = notes.states()
    done = notes.roll(**NEW | {"app_in_place_pause": 2})

    assert done.status > 0
    assert "app_in_place_pause is 2; it wants at least the 3s of nginx_fail_timeout on lb1" in done.screen, done.output
    assert notes.states() == before


def one_instance_each(service: Service) -> bool:
    return all(service.summary(host)["processes"] == 1 for host in service.addresses)


@pytest.mark.parametrize(
    ("playbook", "settings", "version"),
    [("playbooks/restart.yml", OLD, "1.0.0"), ("site.yml", NEW, "1.1.0")],
    ids=["restart", "update"],
)
def test_no_request_fails_during_an(
    playbook: str,
    settings: dict[str, Any],
    version: str,
    notes: Service,
    strict: Callable[..., Load],
    nobody_noticed: Callable[..., None],
) -> None:
    tags = ("--tags", "app") if playbook == "site.yml" else ()
    users = strict(notes, "--verify")
    done = notes.play(playbook, *tags, **settings)
    report = users.end()

    assert done.status == 0, done.output
    assert set(notes.versions().values()) == {version}
    assert one_instance_each(notes)
    nobody_noticed(report)


def test_a_release_that_is_bad_in_the_second_batch_goes_back_in_both(
    local_faults: None, notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    users = strict(notes, "--verify")
    done = notes.roll(**BAD_ON_APP2)
    report = users.end()

    assert done.status > 0
    assert "app2: not healthy" in done.screen, done.output
    assert set(notes.versions().values()) == {"1.1.0"}
    assert one_instance_each(notes)
    nobody_noticed(report)
    # It had users on the first host, where it was good.
    assert report["by_version"].keys() == {"1.0.0", "1.1.0"}
