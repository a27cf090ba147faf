# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The unit in which a release migrates its data, and what is said of how that ended."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS, Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import exec_words

# What a unit says of a program that stays, and means nothing for a command that ends.
OF_A_SERVICE = re.compile(
    r"(Description|StartLimit\w+|Type|Exec(Start|StartPre|StartPost|Condition|Reload|Stop|StopPost)|Restart\w*"
    r"|RemainAfterExit|SuccessExitStatus|WatchdogSec|NotifyAccess|TimeoutSec|TimeoutStartSec|RuntimeMaxSec"
    r"|WorkingDirectory)="
)


def migration_unit(template: str, layout: Layout, release: str, command: t.Sequence[str], timeout: int) -> str:
    """The unit of a command that runs once, from the artifact's directory, as the release's instances would.

    ``template`` is the release's own unit: user, environment, credentials, sandbox and limits are those of an instance.
    Its paths lead into a slot, in which the release is not yet.
    """
    if not command:
        raise ValueError("command is empty; it wants the program, as a path inside the artifact, and its arguments")
    home = layout.release(release)
    lines, section = [], ""
    for line in template.splitlines():
        section = line if line.startswith("[") else section
        if section != "[Install]" and not OF_A_SERVICE.match(line):
            lines.append(line.replace(f"{layout.root}/slots/%i/", f"{home}/{SLOTS[0]}/").replace("%i", SLOTS[0]))
        if line == "[Unit]":
            lines.append(f"Description=Migration of {layout.service} to {release}")
        if line == "[Service]":
            lines += [
                "Type=oneshot",
                f"ExecStart={home}/artifact/{exec_words(command)}",
                f"WorkingDirectory={home}/artifact",
                f"TimeoutStartSec={timeout}",
            ]
    return "\n".join(lines) + "\n"


def how_it_ended(properties: t.Mapping[str, str], timeout: int) -> str:
    """Why a migration failed, from what systemd says of its unit."""
    result, status = properties.get("Result", ""), properties.get("ExecMainStatus", "")
    if result == "timeout":
        return f"it was stopped, for it took more than {timeout} s"
    if result == "exit-code":
        return f"exit status {status}"
    return f"systemd says {result}, status {status}"
