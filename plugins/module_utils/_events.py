# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What Ansible tells callback plugins, as events; clocks are given from outside."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._steps import COLLECTION, Event

Clock = t.Callable[[], float]


class Watch:
    """Knows which task has begun on which host and not ended yet."""

    def __init__(self, now: Clock, monotonic: Clock) -> None:
        self._now, self._monotonic = now, monotonic
        self._begun: dict[tuple[str, str], float] = {}
        self._items: dict[tuple[str, str], list[str]] = {}
        self._hosts: dict[str, list[str]] = {}

    def started(self, host: str, task: t.Any) -> None:
        self._begun[host, task._uuid] = self._monotonic()
        self._hosts.setdefault(task._uuid, []).append(host)

    def item(self, result: t.Any, label: str) -> None:
        """An item of a loop has changed something."""
        self._items.setdefault((result._host.get_name(), result._task._uuid), []).append(label)

    def ended(self, result: t.Any, outcome: str) -> Event:
        """The event that the result of a task stands for, or of an item of its loop."""
        host, task = result._host.get_name(), result._task
        begun = self._begun.get((host, task._uuid), self._monotonic())
        if not ("item" in result._result or "ansible_loop_var" in result._result):
            self._begun.pop((host, task._uuid), None)
        changed = outcome == "ok" and result._result.get("changed", False)
        return Event(
            host=host if not task.delegate_to or task.delegate_to == host else f"{host} -> {task.delegate_to}",
            action=task.resolved_action or task.action,
            task=name_of(task),
            outcome="changed" if changed else outcome,
            result=result._result,
            at=self._now(),
            seconds=self._monotonic() - begun,
            path=short_path(task.get_path() or ""),
            run_once=bool(task.run_once),
            items=tuple(self._items.pop((host, task._uuid), ())),
        )

    def waiting(self, task: t.Any) -> tuple[list[str], int]:
        """On which hosts a task has not ended yet, and on how many it began."""
        hosts = self._hosts.get(task._uuid, [])
        return [host for host in hosts if (host, task._uuid) in self._begun], len(hosts)


def name_of(task: t.Any) -> str:
    """The name of a task and of its role, without the collection that everything here belongs to."""
    return str(task.get_name()).strip().removeprefix(COLLECTION)


def short_path(path: str) -> str:
    """The path as seen from here, unless it leads elsewhere."""
    real = os.path.realpath(path) if path else ""
    here = os.path.relpath(real) if real else ""
    return real if here.startswith("..") else here
