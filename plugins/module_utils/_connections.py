# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Who is still connected to a port of this host."""

from __future__ import annotations

import typing as t

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")

# A connection in one of these states can still carry a request or the rest of an answer. In SYN_RECV the client may
# already be connected and writing, and only the last packet of the handshake is still on its way.
OPEN_STATES = {"01": "ESTABLISHED", "03": "SYN_RECV", "04": "FIN_WAIT1", "08": "CLOSE_WAIT", "09": "LAST_ACK"}


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


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:  # a host without IPv6
        return ""
