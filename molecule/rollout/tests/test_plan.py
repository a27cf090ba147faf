"""A run with --check says what would change, and changes nothing; one with nothing to do costs next to nothing."""

from __future__ import annotations

from typing import Any

import pytest
from trial import TASK_BY_TASK, Service

TOKEN = "a-token-that-nobody-sees"
MOST_TASKS = 10  # that a run with nothing to do may execute for a host
CHANGED = {"app_version": "1.1.0", "notes_token": TOKEN, "nginx_drain_timeout": 5}

# What an operator asks about, of which hosts, and what is said.
PLANS: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "run of everything": (("site.yml", "--limit", "all"), CHANGED, " 1.1.0-"),
    "restart": (("playbooks/restart.yml",), {}, "batch 2 of 2"),
    "rollback": (("playbooks/rollback.yml",), {}, " 1.1.0-"),
    "retirement": (("playbooks/scale_in.yml",), {"app_retire": "app3"}, "app3"),
}


@pytest.fixture(scope="module", autouse=True)
def two_releases(notes: Service) -> None:
    for version in ("1.1.0", "1.0.0"):
        done = notes.roll(app_version=version)
        assert done.status == 0, done.output


@pytest.mark.parametrize("deed", PLANS)
def test_nothing_changes_by_the_plan_of_a(deed: str, notes: Service) -> None:
    (playbook, *options), settings, said = PLANS[deed]
    states, before = notes.states(), notes.files()
    done = notes.play(playbook, *options, "--check", "--diff", **settings)
    after = notes.files()

    assert done.status == 0, done.output
    assert said in done.output
    assert TOKEN not in done.output
    changed = {host: sorted(set(before[host]) ^ set(after[host])) for host in before}
    assert changed == {host: [] for host in before}
    assert notes.states() == states


def test_a_run_with_nothing_to_do_executes_few_tasks(notes: Service) -> None:
    before = notes.states()
    done = notes.begin("site.yml", "--tags", "app", environment=TASK_BY_TASK).end()

    assert done.status == 0, done.output
    assert done.tasks.keys() == notes.addresses.keys()
    assert max(done.tasks.values()) <= MOST_TASKS, done.output
    assert notes.states() == before
