"""Rollouts beside each other: of one service there is one at a time, those of two do not touch each other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from trial import Service

ROLLOUTS = 20
DEADLINE = 400

# The instance seems to hang to the host itself, and only to it.
STALL = "nft add table inet stall; nft add chain inet stall in '{ type filter hook input priority -5; }'; \
nft add rule inet stall in iifname lo tcp dport { 8001, 8002 } drop"
GO_ON = "nft delete table inet stall"


@contextmanager
def stalled(service: Service, host: str) -> Iterator[None]:
    service.on(host, STALL)
    try:
        yield
    finally:
        service.on(host, GO_ON)


def test_of_twenty_rollouts_one_wins_and_the_others_say_who_holds_the_service(notes: Service) -> None:
    notes.ensure("1.0.0")
    with stalled(notes, "app1"):
        plays = [
            notes.begin("site.yml", "--tags", "app", app_version="1.1.0", app_gate_timeout=DEADLINE)
            for _number in range(ROLLOUTS)
        ]
        deadline = time.monotonic() + DEADLINE
        while sum(play.process.poll() is None for play in plays) > 1 and time.monotonic() < deadline:
            time.sleep(0.5)
    runs = [play.end() for play in plays]

    winners = [run for run in runs if run.status == 0]
    assert len(winners) == 1, [run.output for run in runs if run.status][:1]
    for run in runs:
        if run.status:
            assert "another rollout is at work: rollout " in run.screen, run.output
    assert set(notes.versions().values()) == {"1.1.0"}
    assert not any(notes.summary(host)["lease"] for host in notes.addresses)


def test_a_bad_release_of_one_service_leaves_the_other_alone(notes: Service, memos: Service) -> None:
    for service in (notes, memos):
        service.ensure("1.0.0")
    before = memos.states()
    broken = {"FAULT": "{{ 'never_ready' if app_name == 'memos' else 'none' }}"}
    done = notes.play("site.yml", "--tags", "app", "--limit", "app", app_version="1.1.0", app_environment=broken)

    assert done.status > 0
    assert "app4: not healthy" in done.output
    assert set(notes.versions().values()) == {"1.1.0"}
    assert memos.states() == before
