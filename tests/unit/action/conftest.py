# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs an action plugin as Ansible does: a task's arguments and variables in, a result out."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar


@pytest.fixture
def act() -> t.Callable[..., dict[str, t.Any]]:
    def call(
        plugin: t.Any, variables: dict[str, t.Any], variable_manager: t.Any = None, **arguments: t.Any
    ) -> dict[str, t.Any]:
        task = Task()
        task._variable_manager = variable_manager
        task.args = arguments
        made = plugin(
            task=task,
            connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
            play_context=SimpleNamespace(),
            loader=DataLoader(),
            templar=Templar(DataLoader(), variables),
            shared_loader_obj=None,
        )
        return t.cast("dict[str, t.Any]", made.run(task_vars=variables))

    return call
