# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""pgBackRest: run it as Postgres' own user; /etc/pgbackrest/pgbackrest.conf says where its repositories are."""

from __future__ import annotations

import re
import typing as t

from evenkeel_backup import commands, postgres, wal
from evenkeel_backup.outcome import BackupError, RemoteError

STANZA = "main"
ARCHIVED = re.compile(r'"[^"]*?([0-9A-F]{24})-[0-9a-f]{40}[^"]*"')


def run(command: str, *words: str, repository: int = 0) -> str:
    chosen = [f"--repo={repository}"] if repository else []
    try:
        return commands.run(["pgbackrest", f"--stanza={STANZA}", *chosen, *words, command], user=postgres.USER)
    except BackupError as exc:
        if repository > 1:
            raise RemoteError(f"repository {repository} of pgBackRest: {exc}") from exc
        raise


def info(repository: int) -> wal.Repository:
    return wal.parse_info(run("info", "--output=json", repository=repository))


def verify(repository: int) -> tuple[dict[str, str], str]:
    return wal.parse_verify(run("verify", "--output=text", "--verbose", repository=repository))


def segments(repository: int, archives: t.Iterable[str]) -> set[str]:
    """The segments of WAL that are there, by name."""
    found: set[str] = set()
    for archive in archives:
        words = ["--recurse", "--output=json", f"archive/{STANZA}/{archive}"]
        command = ["pgbackrest", f"--repo={repository}", "repo-ls", *words]
        found |= set(ARCHIVED.findall(commands.run(command, user=postgres.USER)))
    return found
