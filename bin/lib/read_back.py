"""How programs read the files that roles write, as far as these use their syntax: each file as a list of words.

What is only read by a program of this collection is not here. The scenario fuzz holds these readers against the
programs themselves.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml as pyyaml

NGINX_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}


def nginx(text: str) -> list[str]:
    """As ngx_conf_read_token splits it: words, and the marks ; { } between them."""
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t\r\n":
            at += 1
        elif char in ";{}":
            found.append(char)
            at += 1
        elif char == "#":
            at = (text.find("\n", at) + 1) or len(text)
        else:
            quote = char if char in "\"'" else ""
            at += len(quote)
            word = ""
            while at < len(text):
                char = text[at]
                if char == "\\" and at + 1 < len(text):
                    word += NGINX_ESCAPES.get(text[at + 1], "\\" + text[at + 1])
                    at += 2
                elif quote and char == quote:
                    at += 1
                    assert at == len(text) or text[at] in " \t\r\n;{)", "nginx wants a space after a quoted word"
                    break
                elif not quote and (char in " \t\r\n;" or (char == "{" and text[at - 1] != "$")):
                    break
                else:
                    word += char
                    at += 1
            found.append(word)
    return found


def nginx_evaluated(word: str) -> str:
    """What nginx makes of the variables in a word: ours stands for a dollar sign, others for something else."""
    return re.sub(r"\$\{(\w*)\}|\$(\w*)", lambda m: "$" if m[1] == "evenkeel_dollar" else "<variable>", word)


def unit(text: str) -> list[str]:
    """Sections, and names and values of directives."""
    words = []
    for line in text.split("\n"):
        assert not line.endswith("\\"), "the next line would belong to this one"
        name, _equals, value = line.partition("=")
        words += [name.strip(), value.strip()]
    return words


def environment(text: str) -> list[str]:
    """Names and values of an EnvironmentFile, all of whose values are in double quotes."""
    words = []
    at = 0
    while at < len(text):
        found = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"\n', re.DOTALL).match(text, at)
        assert found, text[at : at + 80]
        words += [found[1], re.sub(r'\\(["\\$`])', r"\1", found[2])]
        at = found.end()
    return words


def logrotate(text: str) -> list[str]:
    """Directives as words; a script between postrotate and endscript as the shell sees it."""
    words, script = [], False
    for line in text.split("\n"):
        if line.strip() == "endscript":
            script = False
        if script or not line.lstrip().startswith("#"):
            words += shlex.split(line)
        if line.strip() == "postrotate":
            script = True
    return words


def shell(text: str) -> list[str]:
    return shlex.split(text, comments=True)


def cron(text: str) -> list[str]:
    """Lines of /etc/cron.d: schedule, user, and the command up to a first percent sign."""
    words = []
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            *schedule, user, command = line.split(None, 2 if line.startswith("@") else 6)
            words += [" ".join(schedule), user, command.partition("%")[0]]
    return words


def postgres(text: str) -> list[str]:
    words = []
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            found = re.fullmatch(r"([a-z0-9_.]+) = '((?:[^'\\]|''|\\\\)*)'", line)
            assert found, line[:80]
            words += [found[1], found[2].replace("''", "'").replace("\\\\", "\\")]
    return words


def pgbouncer(text: str) -> list[str]:
    """Names and values of the section that settings come in, blanks around them aside."""
    lines = text.partition("[pgbouncer]\n")[2].split("\n")
    return [word.strip() for line in lines if line for word in line.split("=", 1)]


def redis(text: str) -> list[str]:
    """As sdssplitargs takes a line apart."""
    words = []
    for line in text.split("\n"):
        if not line.startswith("#"):
            for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"(?:\s|$)|([^\s"\']+)(?:\s|$)', line):
                words.append(re.sub(r"\\(.)", r"\1", quoted) or plain)
            assert line.count('"') % 2 == line.count('\\"') % 2, line[:80]
            words.append("\n")
    return words


def keepalived(text: str) -> list[str]:
    """Words; what follows a # or ! is for people."""
    return [word for line in text.split("\n") for word in shlex.split(re.split("[#!]", line)[0])]


def rsyslog(text: str) -> list[str]:
    """Strings without their escapes, and what is between them and blanks."""
    words = []
    for quoted, _comment, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(#[^\n]*)|([^\s"#]+)', text):
        words += [re.sub(r"\\(.)", r"\1", quoted) or plain]
    return words


def journald(text: str) -> list[str]:
    """As a unit; journald has comments in its files as well."""
    return unit("\n".join(line for line in text.split("\n") if not line.startswith("#")))


def assignments(text: str) -> list[str]:
    """Names and values of an EnvironmentFile, none of whose values is in quotes."""
    words = []
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            name, _equals, value = line.partition("=")
            assert not re.search(r"[\s'\"\\]", value), line[:80]
            words += [name, value]
    return words


def ini(text: str) -> list[str]:
    """Sections, names and values; blanks around them do not count."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    return [word.strip(" \t") for line in lines for word in (line.split("=", 1) if line[0] != "[" else [line])]


def yaml(text: str) -> list[str]:
    """All keys and values, however deep."""

    def inside(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [word for key, inner in value.items() for word in (str(key), *inside(inner))]
        return [word for inner in value for word in inside(inner)] if isinstance(value, list) else [str(value)]

    return inside(pyyaml.safe_load(text))
