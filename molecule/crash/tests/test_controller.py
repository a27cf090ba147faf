"""Whenever the controller dies, nobody notices, and the next run leads on to where the first one wanted to go."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from load import Load
from trial import TASK_BY_TASK, Service

# How many tasks a rollout has at least; with fewer, something else than a rollout was tried.
TASKS = 20


def killed_at(task: int) -> dict[str, str]:
    return TASK_BY_TASK | {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "kill_controller",
        "KILL_AT_TASK": str(task),
    }


def settled(seen: dict[str, Any], version: str) -> bool:
    """One slot runs, the switch leads to it, it is what the host settled on, and nobody is at work any more."""
    ports = {"blue": "8001", "green": "8002"}
    for slot, other in (("blue", "green"), ("green", "blue")):
        if seen["ports"] == [f":{ports[slot]}"]:
            release, state = seen[slot]
            return (
                (release, state, seen["processes"]) == (seen["current"], "active", 1)
                and seen[other] == ["", "inactive"]
                and release.startswith(f"{version}-")
                and not seen["lease"]
            )
    return False


def test_killed_before_any_task_the_next_run_finishes(
    notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    done = notes.roll(app_version="1.0.0")
    assert done.status == 0, done.output
    users = load(notes, "--connections", "8", "--rate", "60")
    for task in count(1):
        version = "1.1.0" if task % 2 else "1.0.0"
        killed = notes.begin("site.yml", "--tags", "app", environment=killed_at(task), app_version=version).end()
        if killed.status == 0:
            break
        assert killed.status == -signal.SIGKILL, killed.output
        before = re.findall(r"^TASK \[(.*?)\]", killed.output, re.MULTILINE)[-1:]
        done = notes.roll(app_version=version)
        assert done.status == 0, f"killed before task {task} {before}:\n{done.output}"
        for host in notes.addresses:
            seen = notes.summary(host)
            assert settled(seen, version), f"killed before task {task} {before}: {host} is {seen}"
    assert task > TASKS
    nobody_noticed(users.end())
