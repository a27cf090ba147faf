"""A run with --check says what would change, and changes nothing: every file of every host is what it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fleet
import pytest
from trial import Service

# Names, modes, owners, times and digests. What runs goes on writing: databases, and systemd's notes of its timers.
FILES = """
cd / && for what in "-printf '%y %m %U %G %s %T@ %p %l\\n'" "-type f -exec sha256sum {} +"; do
  eval "find etc opt usr/local var/lib \\( -path var/lib/postgresql -o -path var/lib/systemd \\) -prune -o $what" | sort
done
"""
TOKEN = "a-token-that-nobody-sees"
CHANGED = {"app_version": "1.1.0", "notes_token": TOKEN, "nginx_drain_timeout": 5}

# What an operator asks about, of which hosts, and what is said.
PLANS: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "run of everything": (("site.yml", "--limit", "all"), CHANGED, " 1.1.0-"),
    "restart": (("playbooks/restart.yml",), {}, "batch 2 of 2"),
    "rollback": (("playbooks/rollback.yml",), {"app_rollback_to": "1.1.0"}, " 1.1.0-"),
    "retirement": (("playbooks/scale_in.yml",), {"app_retire": "app3"}, "app3"),
}


@pytest.fixture(scope="module", autouse=True)
def two_releases(notes: Service) -> None:
    for version in ("1.1.0", "1.0.0"):
        done = notes.roll(app_version=version)
        assert done.status == 0, done.output


def files(service: Service) -> dict[str, list[str]]:
    addresses = fleet.addresses_of(service.inventory)

    def on(host: str) -> list[str]:
        return fleet.run("docker", "exec", fleet.container(service.fleet, host), "sh", "-c", FILES).splitlines()

    with ThreadPoolExecutor() as hosts:
        return dict(zip(addresses, hosts.map(on, addresses), strict=True))


@pytest.mark.parametrize("deed", PLANS)
def test_nothing_changes_by_the_plan_of_a(deed: str, notes: Service) -> None:
    (playbook, *options), settings, said = PLANS[deed]
    states, before = notes.states(), files(notes)
    done = notes.play(playbook, *options, "--check", "--diff", **settings)
    after = files(notes)

    assert done.status == 0, done.output
    assert said in done.output
    assert TOKEN not in done.output
    changed = {host: sorted(set(before[host]) ^ set(after[host])) for host in before}
    assert changed == {host: [] for host in before}
    assert notes.states() == states
