"""Kills the controller with SIGKILL when the task with the number in KILL_AT_TASK begins."""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: kill_controller
type: aggregate
short_description: Kills the controller when a task begins
description: For tests only.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_controller"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._left = int(os.environ["KILL_AT_TASK"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._count()

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.killpg(0, signal.SIGKILL)
