# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The ssh connection through which we got onto this host."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._files import read_text


@dataclass(frozen=True)
class Connection:
    """Where the client is, as this host sees it, and the address and port of ours that it is connected to."""

    client: str
    client_port: int
    address: str
    port: int


def parse(environment: str) -> Connection | None:
    """The connection in an environment such as that of ``/proc/<pid>/environ``."""
    for entry in environment.split("\0"):
        name, _equals, value = entry.partition("=")
        words = value.split()
        if name == "SSH_CONNECTION" and len(words) == 4:
            return Connection(words[0], int(words[1]), words[2], int(words[3]))
    return None


@dataclass(frozen=True)
class Session:
    """A connection and the user who logged in through it."""

    connection: Connection
    user: str


def session(proc: str = "/proc") -> Session | None:
    """The session that started us, or None where it was no ssh.

    sudo keeps the variable from us, but not from those of our parents who came before it.
    """
    pid = os.getpid()
    while pid > 1:
        environment = _read(f"{proc}/{pid}/environ")
        found = parse(environment)
        if found:
            return Session(found, _variable(environment, "LOGNAME") or _variable(environment, "USER"))
        status = dict(line.split(":\t", 1) for line in _read(f"{proc}/{pid}/status").splitlines() if ":\t" in line)
        pid = int(status.get("PPid", "0"))
    return None


def connection(proc: str = "/proc") -> Connection | None:
    found = session(proc)
    return found.connection if found else None


def _variable(environment: str, name: str) -> str:
    return next((entry[len(name) + 1 :] for entry in environment.split("\0") if entry.startswith(f"{name}=")), "")


def _read(path: str) -> str:
    try:
        return read_text(path) or ""
    except (OSError, UnicodeDecodeError):
        return ""
