# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What differs between the slots, written as ``@@NAME@@`` in what a user gives for both.

No common template language, shell, systemd or nginx has this form, so nothing else in a user's text is touched.
"""

from __future__ import annotations

import re
import typing as t

PLACEHOLDER = re.compile(r"@@([A-Za-z_][A-Za-z0-9_]*)@@")


def fill(text: str, values: t.Mapping[str, t.Any], where: str) -> str:
    """The text with the values in it. Raises ValueError for a placeholder that stands for nothing."""
    for name in PLACEHOLDER.findall(text):
        check_known(name, values, where)
    return PLACEHOLDER.sub(lambda match: str(values[match.group(1)]), text)


def check_known(name: str, known: t.Iterable[str], where: str) -> None:
    names = sorted(known)
    if name not in names:
        there = ", ".join(f"@@{known_name}@@" for known_name in names) or "none"
        raise ValueError(f"{where}: @@{name}@@ stands for nothing that differs between the slots; there are: {there}")
