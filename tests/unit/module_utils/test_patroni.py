# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._patroni import has_leader, member_of, merged, patch

SEEN = {
    "ttl": 30,
    "synchronous_mode": False,
    "mine": 1,
    "postgresql": {"use_slots": True, "parameters": {"work_mem": "8MB", "max_connections": 100}},
}


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        ({"ttl": 30}, {}),
        ({"ttl": "30"}, {}),
        ({"ttl": 60}, {"ttl": 60}),
        ({"synchronous_mode": True}, {"synchronous_mode": True}),
        ({"new": {"a": 1}}, {"new": {"a": 1}}),
        ({"new": {}}, {"new": {}}),
        ({"postgresql": {"use_slots": True}}, {}),
        (
            {"postgresql": {"parameters": {"work_mem": "8MB"}}},
            {"postgresql": {"parameters": {"max_connections": None}}},
        ),
        (
            {"postgresql": {"parameters": {"work_mem": "16MB", "max_connections": "100", "port": 1}}},
            {"postgresql": {"parameters": {"work_mem": "16MB", "port": 1}}},
        ),
    ],
    ids=str,
)
def test_only_what_differs_is_sent(wanted: dict[str, t.Any], changes: dict[str, t.Any]) -> None:
    assert patch(SEEN, wanted, ["postgresql.parameters"]) == changes
    assert patch(merged(SEEN, changes), wanted, ["postgresql.parameters"]) == {}


def test_true_is_not_one() -> None:
    assert patch({"a": 1}, {"a": True}) == {"a": True}


def test_what_nobody_names_stays() -> None:
    after = merged(SEEN, patch(SEEN, {"ttl": 60}))
    assert after == {**SEEN, "ttl": 60}


@pytest.mark.parametrize(
    ("said", "running", "leads"),
    [
        ({"state": "running", "role": "primary"}, True, True),
        ({"state": "running", "role": "master"}, True, True),
        ({"state": "streaming", "role": "replica"}, True, False),
        ({"state": "starting", "role": "replica"}, False, False),
        ({}, False, False),
    ],
    ids=str,
)
def test_members(said: dict[str, str], running: bool, leads: bool) -> None:
    member = member_of(said)
    assert (member.running, member.leads, member.pending_restart) == (running, leads, False)
    assert member_of({**said, "pending_restart": True}).pending_restart


def test_leaders() -> None:
    assert has_leader({"members": [{"role": "replica"}, {"role": "leader"}]})
    assert not has_leader({"members": [{"role": "replica"}]})
    assert not has_leader({})
