# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Who is still connected to a port of this host, and who listens there."""

from __future__ import annotations

import contextlib
import os
import typing as t

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")

# A connection in one of these states can still carry a request or the rest of an answer. In SYN_RECV the client may
# already be connected and writing, and only the last packet of the handshake is still on its way.
OPEN_STATES = {"01": "ESTABLISHED", "03": "SYN_RECV", "04": "FIN_WAIT1", "08": "CLOSE_WAIT", "09": "LAST_ACK"}

LISTEN = "0A"


def count_open(table: str, ports: t.Collection[int]) -> int:
    """How many open connections to one of our ports a table such as /proc/net/tcp lists."""
    count = 0
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] in OPEN_STATES and int(fields[1].rpartition(":")[2], 16) in ports:
            count += 1
    return count


def count_on_host(ports: t.Collection[int]) -> int:
    """How many connections to these ports are open now."""
    return sum(count_open(_read(path), ports) for path in TABLES)


def listening_sockets(table: str, port: int) -> set[str]:
    """The inodes of the sockets that listen on a port, at whatever address, in a table such as /proc/net/tcp."""
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            found.add(fields[9])
    return found


def listeners_on_host(port: int) -> set[str]:
    """The inodes of the sockets that listen on this port now."""
    return set().union(*(listening_sockets(_read(path), port) for path in TABLES))


def sockets_of(pids: t.Iterable[str]) -> set[str]:
    """The inodes of the sockets that these processes hold. Whoever ended meanwhile holds none. Needs root."""
    found = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    target = os.readlink(entry.path)
                    if target.startswith("socket:["):
                        found.add(target[8:-1])
    return found


def holders_of(sockets: t.Collection[str]) -> list[str]:
    """The processes that hold one of these sockets, such as C(python3 (77)), as far as we may know."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(PermissionError):
            if sockets_of([pid]) & set(sockets):
                found.append(f"{_read(f'/proc/{pid}/comm').strip()} ({pid})")
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:  # a host without IPv6
        return ""
