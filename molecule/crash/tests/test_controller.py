"""Whenever the controller dies, hosts go on serving, and the next run finishes what was begun."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fleet
import pytest
from load import Load
from trial import Play, Service

STOPPING = {
    "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
    "ANSIBLE_CALLBACKS_ENABLED": "stop_at_moments",
}

# How many moments of a rollout differ at least; with fewer, something else than a rollout was tried.
MOMENTS = 15


def release(number: int) -> dict[str, Any]:
    """A release of its own for each trial, or it would be staged in the first one only."""
    return {"app_version": f"1.{number % 2}.0", "app_environment": {"TRIAL": str(number)}}


def begin(service: Service, number: int) -> Play:
    return service.begin("site.yml", "--tags", "app", environment=STOPPING, **release(number))


def moments(play: Play) -> Iterator[str]:
    """The moments of a rollout, at each of which it stands still until the next one is asked for."""
    assert play.process.stdout
    for line in play.process.stdout:
        if line.startswith("MOMENT "):
            os.waitid(os.P_PID, play.process.pid, os.WSTOPPED)
            yield re.sub(r"slot (blue|green)$", "its slot", line.removeprefix("MOMENT ").strip())
            os.kill(play.process.pid, signal.SIGCONT)


def differing(service: Service) -> list[tuple[int, str]]:
    """Of all the moments of a rollout, numbered, those at which hosts differ from the moment before.

    Before each task everything on the hosts is looked at. Where nothing has changed since the task before, to be killed
    now is to be killed then. What several hosts do at once counts twice: when one of them is through with it, and all.
    """
    found: list[tuple[int, str]] = []
    within: list[tuple[int, str]] = []
    before = None
    rollout = begin(service, 1)
    for number, moment in enumerate(moments(rollout)):
        if moment.startswith("within "):
            within.append((number, moment))
            continue
        now = (service.files(), service.states())
        if now != before:
            found += [*within[: len(within) > 1], (number, moment)]
        within, before = [], now
    assert rollout.process.wait() == 0
    return found


def kill(play: Play, at: tuple[int, str]) -> None:
    try:
        for moment in enumerate(moments(play)):
            if moment[0] == at[0]:
                assert moment == at, "no two rollouts are alike"
                return
        pytest.fail(f"the rollout was over before {at}")
    finally:
        play.kill()


def settled(seen: dict[str, Any]) -> str:
    """The release, if one slot runs it, the switch leads there, the host settled on it, and nobody is at work."""
    ports = {"blue": "8001", "green": "8002"}
    for slot, other in (("blue", "green"), ("green", "blue")):
        if seen["ports"] == [f":{ports[slot]}"]:
            release, state = seen[slot]
            alone = (release, state, seen["processes"]) == (seen["current"], "active", 1)
            if alone and seen[other] == ["", "inactive"] and not seen["lease"]:
                return str(release)
    return ""


def test_killed_at_any_moment_the_next_run_finishes(
    notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    done = notes.roll(**release(0))
    assert done.status == 0, done.output
    users = load(notes, "--connections", "8", "--rate", "60")
    tried = differing(notes)
    assert len(tried) >= MOMENTS, tried
    releases = set()
    for number, moment in enumerate(tried, start=2):
        kill(begin(notes, number), moment)
        done = notes.roll(**release(number))
        assert done.status == 0, f"killed {moment}:\n{done.output}"
        hosts = {host: notes.summary(host) for host in notes.addresses}
        (release_id,) = {settled(seen) for seen in hosts.values()}
        assert release_id.startswith(release(number)["app_version"]), f"killed {moment}: {hosts}"
        releases.add(release_id)
        assert set(notes.versions().values()) == {release(number)["app_version"]}
    assert len(releases) == len(tried)
    nobody_noticed(users.end())


# What a later run is asked for, when a rollout from 100 to 101 was left half-way.
LATER = {"finishes": 101, "undoes": 100}


@pytest.mark.parametrize("deed", LATER)
def test_the_lease_of_another_machine_is_waited_for_and_then_the_next_run(
    deed: str, notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    """Nobody else can tell whether its process has ended."""
    wanted = release(LATER[deed])
    done = notes.roll(**release(100))
    assert done.status == 0, done.output
    users = load(notes, "--connections", "8", "--rate", "60")
    play = begin(notes, 101)
    assert any(moment.endswith("shift | Examine it with traffic") for moment in moments(play))
    play.kill()
    assert sorted(notes.versions().values()) == ["1.0.0", "1.0.0", "1.1.0"]
    leases = {host: notes.lease(host) for host in notes.addresses}
    leases = {host: lease | {"process": "elsewhere pid:[1] 1 1"} for host, lease in leases.items()}
    for host, lease in leases.items():
        notes.write_lease(host, lease)

    before = notes.states()
    early = notes.roll(**wanted)
    assert early.status > 0
    (holder,) = {f"rollout {lease['rollout']} of {lease['owner']}" for lease in leases.values()}
    assert f"another rollout is at work: {holder}" in early.screen, early.output
    assert notes.states() == before

    ends = {host: notes.time(host) + 2 for host in leases}
    for host, lease in leases.items():
        notes.write_lease(host, lease | {"expires": ends[host]})
    fleet.wait_for("the lease to be over", lambda: all(notes.time(host) > end for host, end in ends.items()))
    done = notes.roll(**wanted)
    assert done.status == 0, done.output
    (release_id,) = {settled(notes.summary(host)) for host in notes.addresses}
    assert release_id.startswith(wanted["app_version"])
    assert set(notes.versions().values()) == {wanted["app_version"]}
    nobody_noticed(users.end())
