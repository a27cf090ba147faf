# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose passwords the playbook rotate_secrets replaces."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.template import Templar, trust_as_template
from rendering import LOADER

CHECKOUT = Path(__file__).resolve().parents[2]
PLAYS = yaml.safe_load((CHECKOUT / "playbooks/rotate_secrets.yml").read_text())
REVOKING = sorted(path.parents[1].name for path in (CHECKOUT / "roles").glob("*/tasks/revoke.yml"))


def resolved(text: str, **variables: t.Any) -> t.Any:
    return Templar(LOADER, variables).template(trust_as_template(text))


def test_what_speaks_of_users_can_refuse_them() -> None:
    assert REVOKING == ["patroni", "postgres", "redis"]


@pytest.mark.parametrize("role", REVOKING)
def test_each_role_that_has_passwords_is_checked_lets_in_and_refuses(role: str) -> None:
    groups = {"all": ["db1", "app1"], role: ["db1"], "app": ["app1"]}
    steps = {"check": False, "main": False, "revoke": False}
    for play in PLAYS:
        there = "db1" in resolved(play["hosts"], groups=groups)
        for task in play["tasks"]:
            include = task.get("ansible.builtin.include_role", {})
            if there and role in resolved(task.get("loop", ""), group_names=[role]):
                steps[include.get("tasks_from", "main")] = True
    assert all(steps.values()), steps


@pytest.mark.parametrize(("watched", "expected"), [({}, []), ({"monitoring": ["mon1"]}, ["db1"])])
def test_the_exporters_of_servers_log_in_with_the_new_ones(watched: dict[str, t.Any], expected: list[str]) -> None:
    groups = {"all": ["db1", "app1"], "patroni": ["db1"], "app": ["app1"], **watched}
    [play] = [play for play in PLAYS if "exporters" in str(play["tasks"])]
    assert list(resolved(play["hosts"], groups=groups)) == expected
    names = [str(play["tasks"]) for play in PLAYS]
    assert names.index(str(play["tasks"])) < next(i for i, tasks in enumerate(names) if "revoke" in tasks)
