# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the program reaches the host's Redis: its file says."""

from __future__ import annotations

from pathlib import Path

import pytest
from evenkeel_backup import commands, outcome, redis

CLI = ["redis-cli", "--no-auth-warning"]


@pytest.mark.parametrize(
    ("text", "words", "password"),
    [
        ("", ["-p", "6379"], ""),
        ("port 6400\nrequirepass plain", ["-p", "6400"], "plain"),
        ('port 6379\nrequirepass "a \\"b\\" c"\nuser evenkeel on', ["-p", "6379", "--user", "evenkeel"], 'a "b" c'),
        ('port "6400"\ntls-port "0"', ["-p", "6400"], ""),
        ('port "0"\ntls-port "6380"', ["--tls", "--insecure", "-p", "6380"], ""),
        ("port 6379\ntls-port 6380", ["-p", "6379"], ""),
        ("port 0\ntls-port 6380", ["--tls", "--insecure", "-p", "6380"], ""),
        ("port 6379\ntls-port 0", ["-p", "6379"], ""),
    ],
)
def test_the_way_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: list[str], password: str
) -> None:
    monkeypatch.setattr(redis, "CONFIG", tmp_path / "redis.conf")
    redis.CONFIG.write_text(text + "\n")
    assert redis.login() == ([*CLI, *words], {"REDISCLI_AUTH": password} if password else {})


@pytest.mark.parametrize(
    "snapshot", [b"REDIS0010 keys \xff" + b"checksum", b"REDIS0010 keys \xff" + b"0123abcd", b"\xff12345678"]
)
def test_what_is_sent_behind_a_snapshot_is_cut_off_and_nothing_else(tmp_path: Path, snapshot: bytes) -> None:
    path = tmp_path / redis.NAME
    for mark in (b"", b"0123456789abcdef0123456789abcdef01234567"):
        path.write_bytes(snapshot + mark)
        redis.cut_off_mark(path)
        assert path.read_bytes() == snapshot


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_what_a_server_says_that_refuses_a_snapshot_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "choom", "echo Bad file format; exit 1")
    program(tmp_path, "redis-cli", "exit 1")
    (tmp_path / redis.NAME).write_bytes(b"REDIS0010")
    monkeypatch.setattr(commands, "ENVIRONMENT", {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    monkeypatch.setattr(commands, "identity", lambda _user: {})
    monkeypatch.setattr(redis.shutil, "chown", lambda *_arguments: None)
    with pytest.raises(outcome.BackupError, match="did not load the snapshot: Bad file"), redis.throwaway(tmp_path):
        pass
