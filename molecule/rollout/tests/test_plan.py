"""A run with --check says what would change, and changes nothing: every file of every host is what it was."""

from __future__ import annotations

from typing import Any

import pytest
from trial import Service

TOKEN = "a-token-that-nobody-sees"
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
