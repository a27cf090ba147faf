# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Talks to the host's own Postgres as its superuser, through its socket."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_files import complaints

USER = "postgres"

# A session that sends passwords leaves them in no log and no statistics.
DISCREET = (
    "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic "
    "-c pg_stat_statements.track_utility=off"
)

# Whether nobody has put anything into a server: neither databases nor tables into the one it comes with.
EMPTY = """
NOT EXISTS (SELECT FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres')
AND NOT EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND oid >= 16384 AND relpersistence <> 't')
"""


class Server:
    """A cluster of Debian's, such as 17/main."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster

    def ask(self, script: str, database: str = "postgres") -> list[t.Any]:
        """What the script answers, each row of which is one JSON value. Raises ValueError with the server's words.

        Statements travel by pipe, never in arguments, and no error quotes them.
        """
        words = ["psql", "-XAtqw", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", f"--dbname={database}"]
        environment = {"PGCLUSTER": self.cluster, "PGOPTIONS": DISCREET, "PGAPPNAME": "evenkeel.fleet"}
        done = subprocess.run(
            words, input=script, capture_output=True, text=True, check=False, cwd="/", **as_user(environment)
        )
        if done.returncode != 0:
            said = done.stderr.replace("psql:<stdin>:", "line ").strip() or f"psql exited with {done.returncode}"
            raise ValueError(f"Postgres {self.cluster}, database {database}: {said}")
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    def complaints(self) -> list[str]:
        """Why the server gave up, as the end of its log has it, oldest first."""
        log = _files.read_text(f"/var/log/postgresql/postgresql-{self.cluster.replace('/', '-')}.log")
        return complaints(log or "")

    def is_replica(self) -> bool:
        return bool(self.ask("SELECT to_json(pg_is_in_recovery());")[0])

    def is_empty(self) -> bool:
        return bool(self.ask(f"SELECT to_json({EMPTY});")[0])


def as_user(environment: t.Mapping[str, str], user: str = USER) -> dict[str, t.Any]:
    """What makes subprocess run a program as the user of Postgres, or another."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise ValueError(f"there is no user {user} on this host; install what the role postgres installs") from None
    base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": account.pw_dir}
    how: dict[str, t.Any] = {"env": {**base, **environment}}
    if os.geteuid() != account.pw_uid:
        groups = os.getgrouplist(user, account.pw_gid)
        how.update(user=account.pw_uid, group=account.pw_gid, extra_groups=groups)
    return how
