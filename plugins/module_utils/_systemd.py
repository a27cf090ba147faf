# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What we ask of systemd."""

from __future__ import annotations

import os
import subprocess
import typing as t

PROPERTIES = (
    "ActiveState",
    "SubState",
    "NRestarts",
    "InvocationID",
    "MainPID",
    "ControlGroup",
    "ActiveEnterTimestamp",
    "Result",
    "ExecMainStatus",
    "MemoryCurrent",
)

# Where systemd keeps its cgroups: the one hierarchy of today's kernels, or beside those of version 1.
CGROUP_ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")


def parse_show(text: str) -> list[dict[str, str]]:
    """The property mappings in the output of ``systemctl show``, one for each unit asked for."""
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]


def show(*units: str) -> list[dict[str, str]]:
    """The properties of the units. A unit that does not exist is ``inactive``."""
    return parse_show(_run("show", f"--property={','.join(PROPERTIES)}", "--", *units))


def is_running(properties: t.Mapping[str, str]) -> bool:
    return properties.get("ActiveState") in ("active", "activating", "reloading", "deactivating")


def processes(control_group: str) -> list[str]:
    """The processes of a unit, by its property ControlGroup."""
    if not control_group:
        return []
    for root in CGROUP_ROOTS:
        if os.path.isdir(f"{root}{control_group}"):
            return _processes_below(f"{root}{control_group}")
    raise OSError(f"found no cgroup {control_group} in {', '.join(CGROUP_ROOTS)}")


def _processes_below(cgroup: str) -> list[str]:
    found: list[str] = []
    for directory, _children, _files in os.walk(cgroup):
        with open(f"{directory}/cgroup.procs", encoding="ascii") as file:
            found += file.read().split()
    return found


def daemon_reload() -> None:
    _run("daemon-reload")


def start(unit: str) -> None:
    _run("start", "--", unit)


def reload(unit: str) -> None:
    """Have a unit read its configuration anew, if it runs."""
    if is_running(show(unit)[0]):
        _run("reload", "--", unit)


def stop(unit: str) -> None:
    _run("stop", "--", unit)


def run_later(unit: str, seconds: int, command: t.Sequence[str]) -> None:
    """Run a command some time from now, whatever becomes of us, unless its timer is stopped before."""
    options = ["--collect", f"--unit={unit}", f"--on-active={seconds}", "--timer-property=AccuracySec=100ms"]
    answer = subprocess.run(
        ["systemd-run", "--quiet", *options, "--", *command], capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise OSError(f"systemd-run --unit={unit} failed: {answer.stderr.strip()}")


def forget_failure(unit: str) -> None:
    """Clear a failed state and the start counter; there may be neither."""
    subprocess.run(["systemctl", "reset-failed", "--", unit], capture_output=True, check=False)


def journal(unit: str, lines: int, invocation: str = "") -> list[str]:
    """The last lines that the unit wrote, without dates and host names, and nothing of what was in its slot before.

    With ``invocation``, those of one of its invocations.
    """
    since = [f"--since=@{at}" for at in _linked_at(f"/etc/systemd/system/{unit}")]
    wanted = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else ["--unit", unit, *since]
    answer = subprocess.run(
        ["journalctl", *wanted, "--lines", str(lines), "--output", "cat", "--no-pager", "--quiet"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return answer.stdout.splitlines()


def _linked_at(path: str) -> list[int]:
    """When the link was put there; nothing where there is none."""
    try:
        return [int(os.lstat(path).st_mtime)]
    except FileNotFoundError:
        return []


def _run(*arguments: str) -> str:
    answer = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, errors="replace", check=False)
    if answer.returncode != 0:
        raise OSError(f"systemctl {' '.join(arguments)} failed: {answer.stderr.strip() or answer.stdout.strip()}")
    return answer.stdout
