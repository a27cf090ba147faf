# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Says something to a Redis, and hears one line of each answer."""

from __future__ import annotations

import socket
import ssl
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._http import Tls, hanging_up_at

LONGEST_LINE = 4096


@dataclass(frozen=True)
class Server:
    """Where a Redis is and who asks it. ``tls`` is None for a plain connection."""

    address: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: Tls | None = None


def ping(server: Server, timeout: float) -> str:
    """What it answers: PONG if all is well, else what it complains of. Raises TimeoutError or OSError."""
    return ask(server, [("PING",)], timeout)[-1][1:]


def ask(server: Server, commands: t.Iterable[t.Sequence[str]], timeout: float) -> list[str]:
    """The first line of each answer, up to one that begins with "-" and complains. A refused login is the only one.

    Raises TimeoutError or OSError.
    """
    deadline = time.monotonic() + timeout
    late = TimeoutError(f"gave no answer within {timeout} s")
    connection = socket.create_connection((server.address, server.port), timeout)
    try:
        if server.tls is not None:
            connection = server.tls.wrap(connection, server.address)
        with hanging_up_at(deadline, connection):
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            return _talk(connection, server, commands)
    except (OSError, ValueError) as exc:
        if time.monotonic() >= deadline:
            raise late from exc
        raise OSError(str(exc)) from exc
    finally:
        connection.close()


def _talk(connection: socket.socket, server: Server, commands: t.Iterable[t.Sequence[str]]) -> list[str]:
    with connection.makefile("rb") as answers:
        if server.password is not None:
            user = [server.username] if server.username else []
            said = _say(connection, answers, "AUTH", *user, server.password)
            if said != "+OK":
                return [said]
        heard: list[str] = []
        for words in commands:
            heard.append(_say(connection, answers, *words))
            if heard[-1].startswith("-"):
                break
        return heard


def _say(connection: socket.socket, answers: t.BinaryIO, *words: str) -> str:
    encoded = [word.encode() for word in words]
    connection.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in encoded))
    line = answers.readline(LONGEST_LINE)
    if not line.endswith(b"\r\n"):
        raise OSError("hung up" if not line else "does not speak the protocol of Redis")
    return line[:-2].decode("utf-8", "replace")
