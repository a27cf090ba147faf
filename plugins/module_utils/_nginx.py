# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Texts in nginx's configuration that mean exactly what they say."""

from __future__ import annotations

import re
import typing as t

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# nginx knows no way to escape a dollar sign; the configuration has a variable that holds one.
DOLLAR = "${evenkeel_dollar}"

# nginx reads its configuration through a buffer of 4096 bytes, in which a word must have room.
LONGEST_STRING = 4000


def nginx_string(value: t.Any) -> str:
    """One word of nginx's configuration, in which nothing ends the word or stands for anything else.

    Raises ValueError for control characters, which have no business in a header or a page.
    """
    text = str(value)
    found = CONTROL.search(text)
    if found:
        raise ValueError(f"{text[:80]!a} holds the control character {found[0]!a}; it wants one line of text")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", DOLLAR)
    return f'"{escaped}"'
