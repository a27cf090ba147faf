# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Which Debian packages a host lacks."""

from __future__ import annotations

import re
import typing as t

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# What dpkg-query is asked to say of each package, a line for each.
FORMAT = "${Package} ${db:Status-Status}\n"


def missing(wanted: t.Sequence[str], said: str) -> list[str]:
    """Those of the wanted packages that are not installed, by what dpkg-query ``said``.

    It says nothing of a package that the host has never heard of, and of one that was removed that its config files
    are still there.
    Raises ValueError for what is no name of a package.
    """
    for name in wanted:
        if not NAME.fullmatch(name):
            raise ValueError(f"names: {name!a} is no name of a Debian package; it wants a-z, 0-9, +, - and .")
    there = {
        name for name, _space, status in (line.partition(" ") for line in said.splitlines()) if status == "installed"
    }
    return [name for name in wanted if name not in there]
