"""Stops the controller before each task, when a host is through with it, and at the end: to be killed, or let go on."""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: stop_at_moments
type: aggregate
short_description: Stops the controller at each moment of a playbook
description: For tests only.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "stop_at_moments"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._moment("before", task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._moment("before", task.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._moment("within", result._task.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._moment("after", "the last task")

    def _moment(self, when: str, task: str) -> None:
        os.write(1, f"\nMOMENT {when} {task}\n".encode())
        os.kill(os.getpid(), signal.SIGSTOP)
