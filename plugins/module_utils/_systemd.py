# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What we ask of systemd."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files

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
    for directory, _children, _names in os.walk(cgroup):
        with open(f"{directory}/cgroup.procs", encoding="ascii") as file:
            found += file.read().split()
    return found


def daemon_reload() -> None:
    _run("daemon-reload")


def keep_units(texts: t.Mapping[str, str]) -> None:
    """Write those files of units, by their paths, that are not like this yet, and have systemd read them."""
    stale = {path: text for path, text in texts.items() if _files.read_text(path) != text}
    for path, text in stale.items():
        _files.write_file(path, text.encode(), 0o644)
    if stale:
        daemon_reload()


def start(unit: str) -> None:
    _run("start", "--", unit)


def restart(unit: str) -> None:
    _run("restart", "--", unit)


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
    # Asked for lines since a time, journalctl of Debian 12 gives the first ones; the newest first are the newest.
    since = [f"--since=@{at}" for at in _linked_at(f"/etc/systemd/system/{unit}")]
    wanted = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else ["--unit", unit, *since]
    answer = subprocess.run(
        ["journalctl", *wanted, "--reverse", "--lines", str(lines), "--output", "cat", "--no-pager", "--quiet"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return answer.stdout.splitlines()[::-1]


def _linked_at(path: str) -> list[int]:
    """When the link was put there; nothing where there is none."""
    try:
        return [int(os.lstat(path).st_mtime)]
    except FileNotFoundError:
        return []


def unit_complaints(path: str) -> list[str]:
    """What systemd on this host would ignore of a unit's file, such as a directive that it does not know."""
    return parse_complaints(path, _analyze("verify", "--man=no", "--recursive-errors=no", path).stderr)


def parse_complaints(path: str, text: str) -> list[str]:
    """Those lines in the output of ``systemd-analyze verify`` that are about the text; whether programs are there is
    not for us to ask before the release has its place."""
    return [line.split(": ", 1)[1] for line in text.splitlines() if re.match(rf"{re.escape(path)}:\d+: ", line)]


def unit_exposure(path: str) -> float | None:
    """How exposed a service with this unit is, from 0 to 10, as ``systemd-analyze security`` reckons."""
    return parse_exposure(_analyze("security", "--offline=true", "--no-pager", path).stdout)


def parse_exposure(text: str) -> float | None:
    found = re.search(r"^.* Overall exposure level for .*: (\d+\.\d)", text, re.MULTILINE)
    return float(found[1]) if found else None


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=False,
    )


def _run(*arguments: str) -> str:
    answer = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, errors="replace", check=False)
    if answer.returncode != 0:
        raise OSError(f"systemctl {' '.join(arguments)} failed: {answer.stderr.strip() or answer.stdout.strip()}")
    return answer.stdout
