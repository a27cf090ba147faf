# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The files that tell Postgres what to do and whom to let in, and what is wrong in them."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

HEADING = "# Written by Ansible, collection evenkeel.fleet; changes to this file are lost."
FRAGMENTS = "pg_hba.d"

KINDS = ("local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc")
LOOPBACK = "127.0.0.1/32"
# What covers both families, or the other one too.
BOTH = {"::1/128", "::/0", "all", "samehost", "samenet", "localhost"}

LEVEL = re.compile(r"^.*?\b(LOG|FATAL|ERROR|HINT|DETAIL|WARNING):\s+")
PARAMETER = re.compile(r'parameter "([^"]+)"')
NOISE = "contains errors"


@dataclass(frozen=True)
class Line:
    text: str
    # Whose line it is, in the words of who wrote it.
    origin: str = ""


def settings_text(settings: t.Mapping[str, t.Any]) -> str:
    lines = [f"{name} = {_quoted(value)}" for name, value in sorted(settings.items())]
    return "\n".join([HEADING, *lines, ""])


def _quoted(value: t.Any) -> str:
    # What YAML takes for a truth value Postgres calls on or off.
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def rule_lines(rules: t.Iterable[str], own_rules: t.Iterable[str], fragments: t.Mapping[str, str]) -> list[Line]:
    """The whole of pg_hba.conf. The first line that matches decides, and whom no line lets in the last ones reject."""
    return [
        Line(HEADING),
        Line("# The first line that matches decides."),
        Line("local all postgres peer"),
        *(Line(rule, "postgres_users") for rule in rules),
        *own_lines(own_rules),
        *fragment_lines(fragments),
        Line("local all all reject"),
        Line("host all all all reject"),
        Line("host replication all all reject"),
    ]


def own_lines(rules: t.Iterable[str]) -> list[Line]:
    return [Line(rule, f"postgres_hba[{number}]") for number, rule in enumerate(rules)]


def fragment_lines(fragments: t.Mapping[str, str]) -> list[Line]:
    return [
        Line(text, f"{FRAGMENTS}/{name} line {number}")
        for name, content in sorted(fragments.items())
        for number, text in enumerate(content.splitlines(), start=1)
    ]


def rules_text(lines: t.Iterable[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)


def refused_rules(lines: t.Sequence[Line], errors: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """What the server says of lines, with the name of who wrote them instead of a number."""
    found = []
    for error in errors:
        line = lines[error["line"] - 1]
        found.append(f"{line.origin or 'pg_hba.conf'}: {error['error']}: {line.text.strip()}")
    return found


def complaints(log: str) -> list[str]:
    """Why a server gave up, as the end of its log has it, oldest first."""
    return [LEVEL.sub("", line) for line in log.splitlines()[-20:] if "FATAL:" in line or "HINT:" in line]


def refused_settings(said: str, own: t.Container[str]) -> list[str]:
    """What the server says of settings, each with the variable it comes from."""
    found: list[str] = []
    for line in said.splitlines():
        text = LEVEL.sub("", line).strip()
        if not text or NOISE in text:
            continue
        text = re.sub(r' in file "[^"]*"( line \d+)?', "", text)
        named = PARAMETER.search(text)
        if named:
            variable = f"postgres_settings.{named[1]}" if named[1] in own else "a setting of the role"
            found.append(f"{variable}: {text}")
        elif "HINT:" in line and found:
            found[-1] += f" ({text})"
        else:
            found.append(text)
    return found


def bad_rules(lines: t.Sequence[Line]) -> list[str]:
    """What is wrong with rules of the user's own, as far as that can be told without a server."""
    parsed = [(line, words) for line in lines if (words := _words(line.text))]
    problems = [f"{line.origin}: {why}: {line.text.strip()}" for line, words in parsed if (why := _fault(words))]
    loopback_6 = {tuple(words[:3]) for _line, words in parsed if len(words) > 3 and words[3] in BOTH}
    for line, words in parsed:
        if len(words) > 4 and words[3] == LOOPBACK and words[-1] != "reject" and tuple(words[:3]) not in loopback_6:
            problems.append(
                f"{line.origin}: it lets {LOOPBACK} in but not ::1/128, which clients of localhost try first, and they "
                f"do not try again; add the same rule for ::1/128: {line.text.strip()}"
            )
    return problems


def _words(text: str) -> list[str]:
    return re.findall(r'(?:"[^"]*"|[^\s"#])+', text.partition("#")[0])


def _fault(words: t.Sequence[str]) -> str:
    if words[0] not in KINDS:
        return f"a rule begins with one of {', '.join(KINDS)}"
    if words[0] == "local":
        return "" if len(words) >= 4 else "it wants local, database, user and method"
    if len(words) < 5:
        return f"it wants {words[0]}, database, user, address and method"
    address = words[3]
    # An address may stand without its mask, which is then a word of its own.
    masked = "/" not in address and _is_address(words[4])
    if masked:
        address = f"{address}/{words[4]}"
    if ("/" in address or ":" in address) and not _is_network(address):
        return f"{address} is no network"
    return "" if masked or "/" in address or not _is_address(address) else f"{address} wants a mask such as /32"


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def waiting(program: str, pending: t.Iterable[str]) -> str:
    """What people are told of settings that are written, and how they come into force."""
    return (
        f"Written, but not in force until {program} restarts: {', '.join(pending)}. "
        "To restart it now, run again with -e '{postgres_allow_restart: true}'."
    )
