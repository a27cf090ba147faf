# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Systemd units as text, from a mapping in which nothing can break out of its line."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._placeholders import PLACEHOLDER, check_known

# To systemd a text with one of these is not UTF-8, and it ignores the whole line or file.
NO_CHARACTERS = r"\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
CONTROL = re.compile(rf"[\x00-\x1f\x7f{NO_CHARACTERS}]")
# systemd gives up at a line of 1 MiB, its name and continuation included.
LONGEST_VALUE = 1_000_000
PLAIN_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def unit_text(sections: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    """The unit file of these sections.

    A list gives one line for each entry, an empty list or null none, an empty string an assignment that resets.
    Raises ValueError for names and values that would not stay on their line.
    """
    blocks = []
    for section, directives in sections.items():
        lines = [f"[{_name(section)}]"]
        for name, value in directives.items():
            if value is None:
                continue
            for entry in value if isinstance(value, (list, tuple)) else [value]:
                lines.append(f"{_name(name)}={_value(name, entry)}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def exec_words(words: t.Iterable[t.Any], variables: t.Collection[str] = ()) -> str:
    """Words of a command line, quoted so that systemd passes exactly these: no specifiers, no variables.

    Only a placeholder ``@@NAME@@`` becomes the environment variable of that name, which must be one of ``variables``.
    """
    return " ".join(_word(str(word), variables) for word in words)


def _word(word: str, variables: t.Collection[str]) -> str:
    if CONTROL.search(word):
        raise ValueError(
            f"{ascii(word)[:80]}: a word of a command holds a control character or what Unicode calls no character"
        )
    # The pieces between placeholders, and the names in them, take turns.
    pieces = PLACEHOLDER.split(word)
    for name in pieces[1::2]:
        check_known(name, variables, f"word {word!a} of the command")
    pieces[::2] = [piece.replace("%", "%%").replace("$", "$$") for piece in pieces[::2]]
    plain = all(PLAIN_WORD.fullmatch(piece) for piece in pieces[::2] if piece) and word
    pieces[1::2] = [f"${{{name}}}" for name in pieces[1::2]]
    literal = "".join(pieces)
    if plain:
        return literal
    escaped = literal.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
        raise ValueError(f"{ascii(name)[:80]} is no name of a unit's section or directive")
    return name


def _value(name: str, value: t.Any) -> str:
    if value is None or isinstance(value, (dict, list, tuple)):
        raise ValueError(f"{name}: {value!r} is no single value; it wants text, a number or a boolean")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if CONTROL.search(text) or text.endswith("\\"):
        raise ValueError(f"{name}: {ascii(text)[:80]} does not stay on its line")
    if len(text.encode()) > LONGEST_VALUE:
        raise ValueError(
            f"{name}: {ascii(text)[:80]} is longer than the {LONGEST_VALUE} bytes that a line has room for"
        )
    return text
