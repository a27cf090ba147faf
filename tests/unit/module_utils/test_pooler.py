# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a trial, with a script in place of pgbouncer; real ones are in the scenario `data`."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _pgbouncer, _pooler

FILES = {_pgbouncer.SETTINGS: "[databases]\n[pgbouncer]\n", _pgbouncer.RULES: "", _pgbouncer.USERS: ""}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], Path]:
    """Makes the program that is tried out, which is given the path of its settings."""
    path = tmp_path / "program"
    monkeypatch.setattr(_pooler, "PROGRAM", str(path))
    account = SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid())
    monkeypatch.setattr(_pooler.pwd, "getpwnam", lambda name: account)
    monkeypatch.setattr(_pooler, "as_user", lambda environment, user: {})
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    # It is there for whoever asks as soon as it has begun.
    monkeypatch.setattr(_pooler, "answers", lambda directory: (Path(directory) / "begun").exists())

    def make(script: str) -> Path:
        path.write_text(f"#!/bin/sh\ncd $(dirname $1) && cp pgbouncer.ini {tmp_path}\n{script}\n")
        path.chmod(0o755)
        return tmp_path / "pgbouncer.ini"

    return make


def test_one_that_begins_is_ended(program: t.Callable[[str], Path]) -> None:
    settings = program("touch begun; exec sleep 60")
    _pooler.try_out(FILES)
    assert "listen_addr = \n" in settings.read_text()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'today UTC [1] FATAL cannot load config file' >&2; exit 1", "cannot load config file"),
        ("touch begun; echo 'today UTC [1] WARNING odd' >&2; exec sleep 60", "odd"),
        ("exit 1", "does not answer"),
    ],
)
def test_one_that_gives_up_or_complains_is_refused(program: t.Callable[[str], Path], script: str, said: str) -> None:
    program(script)
    with pytest.raises(ValueError, match=f"goes on with the files it has: .*{said}"):
        _pooler.try_out(FILES)
