# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._ssh import Connection, Session, connection, parse, session

OURS = Connection("10.0.0.7", 50000, "10.0.0.1", 22)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ("A=b\0SSH_CONNECTION=10.0.0.7 50000 10.0.0.1 22\0C=d\0", OURS),
        ("SSH_CONNECTION=fe80::1%eth0 50000 fe80::2 2222", Connection("fe80::1%eth0", 50000, "fe80::2", 2222)),
        ("", None),
        ("SSH_CONNECTION=", None),
        ("SSH_CLIENT=10.0.0.7 50000 22", None),
    ],
)
def test_parse(environment: str, found: Connection | None) -> None:
    assert parse(environment) == found


def process(proc: Path, pid: int, parent: int, environment: str) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "environ").write_text(environment)
    (proc / str(pid) / "status").write_text(f"Name:\tpython3\nPid:\t{pid}\nPPid:\t{parent}\n")


def test_it_is_found_with_a_parent_that_sudo_did_not_clean(tmp_path: Path) -> None:
    process(tmp_path, os.getpid(), 30, "SUDO_USER=admin")
    process(tmp_path, 30, 20, "")
    process(tmp_path, 20, 10, "LOGNAME=admin\0SSH_CONNECTION=10.0.0.7 50000 10.0.0.1 22")
    process(tmp_path, 10, 1, "SSH_CONNECTION=10.9.9.9 1 10.0.0.1 22")
    assert connection(str(tmp_path)) == OURS
    assert session(str(tmp_path)) == Session(OURS, "admin")


def test_there_may_be_none(tmp_path: Path) -> None:
    process(tmp_path, os.getpid(), 20, "A=b")
    process(tmp_path, 20, 1, "A=b")
    process(tmp_path, 1, 0, "SSH_CONNECTION=10.0.0.7 50000 10.0.0.1 22")
    assert connection(str(tmp_path)) is None


def test_a_parent_that_is_gone_ends_the_search(tmp_path: Path) -> None:
    process(tmp_path, os.getpid(), 20, "A=b")
    assert connection(str(tmp_path)) is None
