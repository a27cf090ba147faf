# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs the module and, where it is refused for a process of this very machine that has ended, asks again."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        # The parent of this worker is the process that lives as long as the run.
        arguments = {**self._task.args, "process": process_name(os.getppid())}
        result = self._execute(arguments, task_vars)
        if result.get("held") and has_ended(result["holder"]["process"]):
            result = self._execute({**arguments, "dead": result["holder"]["rollout"]}, task_vars)
        return result

    def _execute(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(
            module_name="evenkeel.fleet.rollout_lease", module_args=arguments, task_vars=task_vars
        )
        return result


def process_name(pid: int) -> str:
    """A name that no other process ever has: boot, pid namespace, pid, and when it started."""
    return f"{_world()} {pid} {_started(pid)}"


def has_ended(name: str) -> bool:
    """Whether a process is known to have ended. One of another machine or container is not known."""
    world, _space, rest = name.rpartition(" ")[0].rpartition(" ")
    return world == _world() and rest.isdecimal() and process_name(int(rest)) != name


def _world() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def _started(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "ended"
    # The name in the second field may hold anything, so count from behind it.
    return status.rpartition(")")[2].split()[19]
