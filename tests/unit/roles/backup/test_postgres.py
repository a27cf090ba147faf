# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest
from evenkeel_backup import commands, postgres
from evenkeel_backup.outcome import BackupError, DamagedError

MOST = 1 << 20


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> postgres.Server:
    """Whose pg_dump and pg_restore are scripts, run by whoever runs the tests."""
    monkeypatch.setattr(commands, "identity", lambda _user: {})
    return postgres.Server(tmp_path, str(tmp_path), 5432)


def write_and_read(server: postgres.Server, dump: str, restore: str) -> Path:
    for name, script in (("pg_dump", dump), ("pg_restore", restore)):
        path = server.programs / name
        path.write_text(f"#!/bin/sh\ncd {server.programs}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    made = server.programs / "notes.dump"
    postgres.write_and_read(server, server.program("pg_dump"), made, MOST)
    return made


def test_a_dump_is_read_while_it_is_written(server: postgres.Server) -> None:
    # Neither could end if it had to wait until the other one has.
    wait = "while ! test -e begun; do sleep 0.01; done"
    made = write_and_read(server, f"echo one; {wait}; echo two", "read line; echo $line > begun; cat > rest")
    assert made.read_text(encoding="utf-8") == "one\ntwo\n"
    assert [(server.programs / name).read_text(encoding="utf-8") for name in ("begun", "rest")] == ["one\n", "two\n"]


def test_a_dump_that_fails_is_no_damage(server: postgres.Server) -> None:
    with pytest.raises(BackupError, match=r"^pg_dump failed with status 3: no such database$") as told:
        write_and_read(server, "echo one; echo no such database >&2; exit 3", "cat > /dev/null; exit 1")
    assert not isinstance(told.value, DamagedError)


def test_a_dump_that_cannot_be_read_is_damage(server: postgres.Server) -> None:
    dump = "for i in 1 2 3 4 5 6 7 8; do head -c 100000 /dev/zero; sleep 0.05; done"
    with pytest.raises(DamagedError, match=r"^pg_restore failed with status 1: unexpected end of file$"):
        write_and_read(server, dump, "echo unexpected end of file >&2; exit 1")
    # What it could not read is there in full, for whoever wants to know why.
    assert (server.programs / "notes.dump").stat().st_size == 800_000


def test_a_dump_grows_no_larger_than_it_may(server: postgres.Server) -> None:
    with pytest.raises(BackupError, match="pg_dump failed"):
        write_and_read(server, "exec head -c 2000000 /dev/zero", "cat > /dev/null")
    assert (server.programs / "notes.dump").stat().st_size == MOST


def test_a_file_is_followed_to_its_end(tmp_path: Path) -> None:
    path, seen, whole = tmp_path / "grows", io.BytesIO(), threading.Event()
    path.write_bytes(b"")

    def write() -> None:
        with path.open("ab") as file:
            for number in range(50):
                file.write(str(number).encode() * 1000)
                file.flush()
                time.sleep(0.001)
        whole.set()

    writer = threading.Thread(target=write)
    writer.start()
    commands.follow(path, whole.is_set, seen)
    writer.join()
    assert seen.getvalue() == path.read_bytes()
