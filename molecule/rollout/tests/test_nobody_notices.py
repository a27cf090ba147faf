"""Strict clients lose no request, whatever an operator does to a service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import artifacts
import pytest
from load import Load
from trial import Service, on_each

SITE = ("site.yml", "--tags", "app")
CONFIGURED = {"app_version": "1.0.0", "app_environment": {"ENVIRONMENT": "trial"}}
ROTATED = CONFIGURED | {"notes_token": "second"}
UPDATES_IN_A_ROW = 20

# What an update may ask for besides.
MIGRATING = {"app_migrate_command": ["notes", "migrate"]}
COUNTING = {"app_database_host": "db1", "app_database_connections": 10}

# Of the journal since then, when the data were migrated and when instances were started.
EVENTS = """
journalctl --sync
journalctl --quiet --since=@{since} --output=short-unix --grep='the table is there|Started notes@' || true
"""


@pytest.fixture(scope="module", autouse=True)
def first_version(notes: Service, memos: Service) -> None:
    for service in (notes, memos):
        service.ensure("1.0.0")


@pytest.fixture(scope="module")
def published(notes: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The settings for 1.1.0 as the host of the balancer hands it out."""
    with artifacts.served(notes, "lb1", tmp_path_factory.mktemp("published")) as settings:
        yield settings


@pytest.fixture
def unnoticed(notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]) -> Callable[..., None]:
    """Runs a playbook that moves every host to a new instance, of this version, while nobody notices."""

    def run(version: str, playbook: str, *options: str, **settings: Any) -> None:
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

    return run


def releases(service: Service, link: str) -> dict[str, str]:
    return {host: service.summary(host)[link] for host in service.addresses}


def test_no_request_fails_during_a_config_change(unnoticed: Callable[..., None], notes: Service) -> None:
    """The release is another one and staged anew, from what lies on the hosts."""
    unnoticed("1.0.0", *SITE, **CONFIGURED | artifacts.on_hosts(notes, artifacts.FIRST))


def test_no_request_fails_during_a_secret_rotation(unnoticed: Callable[..., None]) -> None:
    unnoticed("1.0.0", *SITE, **ROTATED)


def test_no_request_fails_during_an_update_that_migrates_once_before_anything_starts(
    unnoticed: Callable[..., None], published: dict[str, Any], notes: Service
) -> None:
    since = time.time()
    unnoticed("1.1.0", *SITE, **ROTATED | published | MIGRATING | COUNTING)

    found = on_each(notes.addresses, lambda host: notes.on(host, EVENTS.format(since=since)).splitlines())
    events = sorted(line for lines in found.values() for line in lines)
    assert [line.endswith("the table is there") for line in events] == [True, False, False, False], events


def test_no_request_fails_during_a_rollback_to_what_ran_before(unnoticed: Callable[..., None], notes: Service) -> None:
    before = releases(notes, "previous")
    unnoticed("1.0.0", "playbooks/rollback.yml", **ROTATED)
    assert releases(notes, "current") == before


def test_no_request_fails_during_a_restart(unnoticed: Callable[..., None], notes: Service) -> None:
    before = releases(notes, "current")
    unnoticed("1.0.0", "playbooks/restart.yml", **ROTATED)
    assert releases(notes, "current") == before


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
