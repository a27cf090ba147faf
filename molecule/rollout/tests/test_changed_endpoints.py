"""Ports and the live path change with a release: what serves is drained, closed and brought back by its own."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from load import Load
from trial import Service

STRATEGIES = {
    "surge": {"app_strategy": "surge"},
    "in_place": {"app_strategy": "in_place", "app_min_available": "1", "app_in_place_pause": 3},
}
METRICS = 8100
WITH_METRICS = {
    "app_version": "1.1.0",
    "app_extra_ports": [{"variable": "METRICS_PORT", "public": METRICS, "blue": METRICS + 1, "green": METRICS + 2}],
}
MOVED = {
    "app_version": "1.1.0",
    "app_slot_ports": {"blue": 8011, "green": 8012},
    "app_live_path": "/alive",
}
# Good as long as no user can reach it: the switch has the ports of the old release then.
BAD_WITH_USERS = MOVED | {
    "app_environment": {"LIVE_PATH": "/alive"},
    "app_gate_probes": [
        {
            "type": "command",
            "argv": ["/usr/sbin/nft", "list", "table", "inet", "evenkeel_notes"],
            "user": "root",
            "output": "redirect to :800[12]",
        }
    ],
}
NEVER_READY = MOVED | {"app_environment": {"LIVE_PATH": "/alive", "FAULT": "never_ready"}}
BAD = {
    "never ready, surge": NEVER_READY | STRATEGIES["surge"],
    "never ready, in_place": NEVER_READY | STRATEGIES["in_place"],
    "bad with users, surge": BAD_WITH_USERS | STRATEGIES["surge"],
}


@pytest.fixture(scope="module", autouse=True)
def first_version(notes: Service) -> None:
    notes.ensure("1.0.0")


@pytest.mark.parametrize("settings", BAD.values(), ids=BAD)
def test_a_bad_release_with_other_ports_and_another_live_path_is_undone(
    settings: dict[str, Any], notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    before = {host: notes.summary(host) for host in notes.addresses}
    users = strict(notes, "--verify")
    done = notes.roll(**settings)
    report = users.end()

    assert done.status > 0
    assert "every host is back on what it ran before" in done.screen, done.output
    assert {host: notes.summary(host) for host in notes.addresses} == before
    assert set(notes.versions().values()) == {"1.0.0"}
    nobody_noticed(report)


def test_another_public_port_is_refused_before_anything_is_touched(notes: Service) -> None:
    before = notes.states()
    done = notes.roll(app_port=8050)

    assert done.status > 0
    assert "at port 8000, but it is to be reached at 8050 (app_port)" in " ".join(done.screen.split()), done.output
    assert notes.states() == before


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_request_fails_while_a_port_is_added_and_taken_away_again(
    strategy: str, notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    settings = WITH_METRICS | STRATEGIES[strategy]
    users = strict(notes, "--verify")
    update = notes.roll(**settings)
    metrics = {host: answers(f"http://{address}:{METRICS}/metrics") for host, address in notes.addresses.items()}
    versions = notes.versions()
    # The settings still have the port; the release before has not.
    rollback = notes.play("playbooks/rollback.yml", **settings)
    report = users.end()

    assert update.status == 0, update.output
    assert (set(versions.values()), set(metrics.values())) == ({"1.1.0"}, {True})
    assert rollback.status == 0, rollback.output
    assert set(notes.versions().values()) == {"1.0.0"}
    assert not any(answers(f"http://{address}:{METRICS}/metrics") for address in notes.addresses.values())
    nobody_noticed(report)


@pytest.mark.parametrize(
    ("playbook", "release"), [("rollback", "previous"), ("restart", "current")], ids=["rollback", "restart"]
)
def test_a_release_that_is_damaged_on_a_host_of_the_last_batch_is_refused(
    playbook: str, release: str, notes: Service
) -> None:
    program = f"/opt/notes/{release}/artifact/notes"
    notes.on("app3", f"mv {program} {program}.away")
    try:
        before = notes.states()
        done = notes.play(f"playbooks/{playbook}.yml", **STRATEGIES["in_place"])
        after = notes.states()
    finally:
        notes.on("app3", f"mv {program}.away {program}")

    assert done.status > 0
    assert "is damaged on app3" in done.screen, done.output
    assert after == before


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
