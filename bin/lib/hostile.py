"""What would break out of a config file, a command or a query, or lead the eye astray, if anything let it."""

from __future__ import annotations

import random

BITS = [
    *('"', "'", "`", "\\", "\n", "\r", "\t", "\x00", "\x1b[31m", "\x7f", "\x85"),
    *(" ", "  ", ";", "#", "%", "%n", "%%", "$", "$$", "&", "|", "<", ">", "!", "*", "?", "=", ",", "-", "--all"),
    *("{", "}", "(", ")", "[", "]", "{{ 7 }}", "{% raw %}", "@@PORT@@", "~", "^", ":", "/", "..", "/../"),
    *("$(id)", "${HOME}", "$HOME", "$host", "${evenkeel_dollar}", "`id`", "\\n", "\\x41", "\\$host", '\\"', "''", '""'),
    *("; return 200 x;", "}\n}", "endscript", "[Service]", "\\\n", "' OR 1=1 --", "%i", "%d/TOKEN", "-o", "#{x}"),
    *("\u2028", "\u202e", "\u200b", "\ufeff", "\u00a0", "\ud800", "\ufffe", "\U0010ffff", "é", "日本", "\u0661"),
]

HUGE = [part * ((1 << 20) // len(part)) for part in ("a", "1", "/a", "a.", "$", "\\", '"', "é")]


def texts(count: int, seed: int) -> list[str]:
    """Every bit, and texts that are made of several."""
    draw = random.Random(seed)
    return [*BITS, *("".join(draw.choices(BITS, k=draw.randint(2, 6))) for _number in range(count))]
