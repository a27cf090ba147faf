"""What becomes of a rollout when a host cannot be reached, lacks a tool, or has a clock that was set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import fleet
import pytest
from load import Load
from trial import TASK_BY_TASK, Service, never_ready_on

HOUR = 3600
FIRST = "app1"

CUT = "nft add table inet cut; nft add chain inet cut in '{ type filter hook input priority -5; }'; \
nft add rule inet cut in tcp dport 22 reject with tcp reset"
UNCUT = "nft delete table inet cut"


@pytest.fixture(autouse=True)
def good_release(notes: Service) -> None:
    notes.ensure("1.0.0")


@contextmanager
def unreachable(service: Service, host: str) -> Iterator[None]:
    """While nobody gets in by ssh; its users do."""
    inside = ("docker", "exec", fleet.container(service.fleet, host), "sh", "-c")
    fleet.run(*inside, CUT)
    try:
        yield
    finally:
        fleet.run(*inside, UNCUT)


def test_a_host_that_is_unreachable_before_keeps_everybody_from_changing(notes: Service) -> None:
    before = notes.states()
    with unreachable(notes, "app2"):
        done = notes.roll(app_version="1.1.0")
    assert done.status > 0
    assert "app2" in done.screen
    assert "UNREACHABLE" in done.output
    assert notes.states() == before


# In words, once how often which task has begun, and what runs on the others in the end.
MOMENTS = {
    "during its batch": (1, "shift | Start the release", "1.0.0"),
    "during a later batch": (2, "shift | Start the release", "1.0.0"),
    "once the release is kept": (1, "keep | Stop the old instance", "1.1.0"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_host_that_becomes_unreachable(
    moment: str, notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    """Until the rollout is judged the others go back; then they stay. The next run finishes for all."""
    times, task, left = MOMENTS[moment]
    users = load(notes, "--connections", "8", "--rate", "60", "--verify")
    play = notes.begin("site.yml", "--tags", "app", environment=TASK_BY_TASK, app_version="1.1.0")
    for _time in range(times):
        play.wait_for_output(task)
    with unreachable(notes, FIRST):
        done = play.end()
    assert done.status > 0
    assert f"fatal: [{FIRST}]: UNREACHABLE!" in done.output, done.output
    assert f"{FIRST}: became unreachable" in done.output, done.output
    assert ("was kept on the others" in done.output) == (left == "1.1.0"), done.output
    others = {host: version for host, version in notes.versions().items() if host != FIRST}
    assert set(others.values()) == {left}

    done = notes.roll(app_version="1.1.0")
    assert done.status == 0, done.output
    assert set(notes.versions().values()) == {"1.1.0"}
    assert not any(notes.summary(host)["lease"] for host in notes.addresses)
    nobody_noticed(users.end(), at_least=500)


def test_a_host_without_nft_is_found_before_anything_changes(notes: Service) -> None:
    before = notes.states()
    notes.on("app2", "mv /usr/sbin/nft /usr/sbin/nft.away")
    try:
        done = notes.roll(app_version="1.1.0")
    finally:
        notes.on("app2", "mv /usr/sbin/nft.away /usr/sbin/nft")
    assert done.status > 0
    assert "app2: FAILED: /usr/sbin/nft cannot list tables" in done.screen
    assert notes.states() == before


def held(service: Service, host: str, ahead: float) -> None:
    """A lease of somebody on another machine, begun a minute ago by a clock that was so far ahead of today's."""
    now = service.time(host) + ahead
    lease = {"rollout": "20260102T030405Z-abcd", "owner": "ann@elsewhere", "process": "", "taken": now - 60}
    service.write_lease(host, lease | {"expires": now + 240, "ttl": 300})


def test_a_lease_from_an_hour_ahead_still_counts_and_names_its_holder(notes: Service) -> None:
    before = notes.states()
    held(notes, FIRST, ahead=HOUR)
    try:
        done = notes.roll(app_version="1.1.0", app_environment={"TRIAL": "not staged before"})
    finally:
        notes.on(FIRST, "rm /var/lib/evenkeel/notes/lease.json")
    assert done.status > 0
    assert "another rollout is at work: rollout 20260102T030405Z-abcd of ann@elsewhere" in done.screen
    assert notes.states() == before


def test_a_lease_from_an_hour_ago_is_over(notes: Service) -> None:
    held(notes, FIRST, ahead=-HOUR)
    done = notes.roll(app_version="1.1.0")
    assert done.status == 0, done.output
    journal = notes.on(FIRST, "tail -n 2 /var/lib/evenkeel/notes/journal.jsonl").splitlines()
    assert [json.loads(entry)["outcome"] for entry in journal] == ["abandoned", "kept"]


def test_a_clock_that_is_set_ahead_during_a_rollout_changes_nothing_about_it(notes: Service) -> None:
    """Its own lease has run out before it is over. As nobody else took it, it goes on, and back where it must."""
    before = {host: notes.summary(host) for host in notes.addresses}
    settings = {"app_version": "1.1.0", "app_batches": [1], "app_environment": never_ready_on("app3")}
    play = notes.begin("site.yml", "--tags", "app", environment=TASK_BY_TASK, **settings)
    for _batch in range(2):
        play.wait_for_output("shift | Start the release")
    for host in (FIRST, "app3"):
        lease = notes.lease(host)
        notes.write_lease(host, lease | {"taken": lease["taken"] - HOUR, "expires": lease["expires"] - HOUR})
    done = play.end()
    assert done.status == 2, done.output
    assert "app3: not healthy" in done.output
    assert "every host is back on what it ran before" in done.output
    assert {host: notes.summary(host) for host in notes.addresses} == before
