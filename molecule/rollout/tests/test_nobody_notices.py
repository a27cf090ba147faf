"""Strict clients lose no request, whatever an operator does to a service."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from load import Load
from trial import Service

SITE = ("site.yml", "--tags", "app")
OLD, NEW = {"app_version": "1.0.0"}, {"app_version": "1.1.0"}
CONFIGURED = NEW | {"app_environment": {"ENVIRONMENT": "trial"}}
ROTATED = CONFIGURED | {"notes_token": "second"}

# What an operator does one after the other, and the version that runs then.
DEEDS = {
    "update": (SITE, NEW, "1.1.0"),
    "config change": (SITE, CONFIGURED, "1.1.0"),
    "secret rotation": (SITE, ROTATED, "1.1.0"),
    "rollback": (("playbooks/rollback.yml",), {"app_rollback_to": "1.0.0"}, "1.0.0"),
    "restart": (("playbooks/restart.yml",), OLD, "1.0.0"),
}
UPDATES_IN_A_ROW = 20


@pytest.fixture(scope="module", autouse=True)
def first_version(notes: Service, memos: Service) -> None:
    for service in (notes, memos):
        service.ensure("1.0.0")


@pytest.mark.parametrize("deed", DEEDS)
def test_no_request_fails_during_a(
    deed: str, notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    (playbook, *options), settings, version = DEEDS[deed]
    before = {host: notes.summary(host) for host in notes.addresses}
    load = strict(notes, "--verify")
    done = notes.play(playbook, *options, **settings)
    report = load.end()

    assert done.status == 0, done.output
    assert set(notes.versions().values()) == {version}
    for host, was in before.items():
        # A new release, or the same one anew, is always in the other slot.
        assert notes.summary(host)["ports"] != was["ports"]
    nobody_noticed(report)


def test_a_single_host_is_updated_twenty_times_in_a_row(
    memos: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    load = strict(memos)
    for number in range(UPDATES_IN_A_ROW):
        version = "1.0.0" if number % 2 else "1.1.0"
        done = memos.roll(app_version=version, app_gate_min_healthy=0, app_bake_min_healthy=0, app_drain_timeout=1)
        assert done.status == 0, done.output
        assert set(memos.versions().values()) == {version}
    nobody_noticed(load.end())
