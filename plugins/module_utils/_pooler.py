# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Talks to the host's own pgbouncer as its account, and tries out new files on another."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils import _pgbouncer as texts
from ansible_collections.evenkeel.fleet.plugins.module_utils._psql import as_user

ACCOUNT = "pgbouncer"
PROGRAM = "/usr/sbin/pgbouncer"
PATIENCE = 30
GOES_ON = "postgres_pgbouncer: pgbouncer goes on with the files it has"


def console(command: str, directory: str = texts.SOCKETS) -> list[list[str]]:
    """What pgbouncer itself answers. Raises ValueError with its words."""
    words = ["psql", "-XAtqw", "--field-separator=\t", f"--host={directory}", f"--port={texts.PORT}"]
    words += [f"--username={texts.CONSOLE}", f"--dbname={texts.CONSOLE}", f"--command={command}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", **as_user({}, ACCOUNT))
    if done.returncode != 0:
        raise ValueError(f"pgbouncer, {command}: {done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def answers(directory: str) -> bool:
    try:
        console("SHOW VERSION", directory)
    except ValueError:
        return False
    return True


def try_out(files: t.Mapping[str, str]) -> None:
    """Have another one, which nobody reaches, begin with the files. Raises ValueError with what it has against them."""
    account = pwd.getpwnam(ACCOUNT)
    with tempfile.TemporaryDirectory(prefix="evenkeel-pgbouncer-") as directory:
        for path, text in files.items():
            given = texts.trial_text(text, directory) if path == texts.SETTINGS else text
            _files.write_new(f"{directory}/{Path(path).name}", given.encode(), 0o640, account.pw_gid)
        os.chown(directory, account.pw_uid, account.pw_gid)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            words, how = [PROGRAM, f"{directory}/{Path(texts.SETTINGS).name}"], as_user({}, ACCOUNT)
            with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **how) as trial:
                try:
                    answered = _answers_in_time(trial, directory)
                finally:
                    trial.kill()
            said.seek(0)
            refused = texts.complaints(said.read())
            if refused or not answered:
                raise ValueError(f"{GOES_ON}: {'; '.join(refused) or 'with the new ones another one does not answer'}")


def _answers_in_time(trial: subprocess.Popen[bytes], directory: str) -> bool:
    end = time.monotonic() + PATIENCE
    while not answers(directory):
        if trial.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
