# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Kernel settings as text, as paths, and compared."""

from __future__ import annotations

import re
import typing as t


def normal(value: t.Any) -> str:
    """A value as the kernel shows it, but for the kind of white space."""
    return " ".join(str(int(value) if isinstance(value, bool) else value).split())


def path(name: str) -> str:
    """Where below /proc/sys a setting is. An interface with a dot in its name is written with a slash instead."""
    if not re.fullmatch(r"[a-z0-9_]+(\.[A-Za-z0-9_/-]+)+", name):
        raise ValueError(f"{name!a} is no name of a kernel setting, such as net.core.somaxconn")
    return "/".join(part.replace("/", ".") for part in name.split("."))


def text(settings: t.Mapping[str, t.Any]) -> str:
    """The file for sysctl.d. Raises ValueError for what would not stay on its line."""
    lines = ["# Written by evenkeel.fleet."]
    for name, value in sorted(settings.items()):
        path(name)
        if not re.fullmatch(r"[\x20-\x7e]+", normal(value)):
            raise ValueError(f"{name} is {value!a}; it wants one line of plain text")
        lines.append(f"{name} = {normal(value)}")
    return "\n".join(lines) + "\n"
