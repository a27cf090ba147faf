# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._connections import (
    count_on_host,
    count_open,
    holders_of,
    listening_sockets,
    sockets_of,
)

# /proc/net/tcp and tcp6 of a host on which 8001 had, seen from the server, a connection each in ESTABLISHED, SYN_RECV,
# FIN_WAIT1, CLOSE_WAIT and several in TIME_WAIT, and 8002 two in ESTABLISHED and one in CLOSE_WAIT.
FIXTURES = Path(__file__).parent / "fixtures"
TCP = (FIXTURES / "proc-net-tcp").read_text()
TCP6 = (FIXTURES / "proc-net-tcp6").read_text()


@pytest.mark.parametrize(
    ("table", "ports", "count"),
    [
        (TCP, {8001}, 4),
        (TCP, {8002}, 0),
        (TCP6, {8002}, 3),
        (TCP6, {8001}, 0),
        (TCP, {8001, 8002}, 4),
        (TCP, {22}, 0),
        (TCP, set(), 0),
        ("", {8001}, 0),
        (TCP.splitlines()[0], {8001}, 0),
        (TCP.splitlines()[0] + "\n\n   0: cut\n", {8001}, 0),
    ],
)
def test_count_open(table: str, ports: set[int], count: int) -> None:
    assert count_open(table, ports) == count


@pytest.mark.parametrize(
    ("state", "open_"),
    [
        ("01", 1),
        ("02", 0),
        ("03", 1),
        ("04", 1),
        ("05", 0),
        ("06", 0),
        ("07", 0),
        ("08", 1),
        ("09", 1),
        ("0A", 0),
        ("0B", 0),
    ],
)
def test_states(state: str, open_: int) -> None:
    line = f"   0: 0100007F:1F41 0100007F:A6D8 {state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
    assert count_open(f"{TCP.splitlines()[0]}\n{line}\n", {8001}) == open_


def test_our_own_connections_to_such_a_port_elsewhere_do_not_count() -> None:
    line = "   0: 0100007F:A6D8 0100007F:1F41 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
    assert count_open(f"{TCP.splitlines()[0]}\n{line}\n", {8001}) == 0


def test_the_tables_of_this_host_can_be_read() -> None:
    assert count_on_host({0}) == 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", {"4711"}),
        ("0: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", {"4711"}),
        ("0: 0100007F:1F42 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", set()),
        ("0: 0100007F:1F41 0100007F:A6D8 01 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", set()),
        ("0: cut", set()),
    ],
)
def test_listening_sockets(line: str, found: set[str]) -> None:
    assert listening_sockets(f"{TCP.splitlines()[0]}\n{line}\n", 8001) == found


def test_who_holds_a_socket() -> None:
    me = str(os.getpid())
    with socket.socket() as mine:
        inode = os.readlink(f"/proc/self/fd/{mine.fileno()}")[8:-1]
        assert inode in sockets_of([me, "0"])
        assert [holder for holder in holders_of({inode}) if holder.endswith(f" ({me})")]
    assert inode not in sockets_of([me])
