# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host's own Postgres, asked as its superuser."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import typing as t

USER = "postgres"
# Nobody waits long for us, and we for nobody; a large table takes hours all the same.
PATIENCE = "-c lock_timeout=5s -c statement_timeout=6h -c log_min_duration_statement=-1"


class ServerError(Exception):
    """The server said no."""


class Server:
    def __init__(self, cluster: str) -> None:
        self.cluster = cluster

    def run(self, *words: str, text: str | None = None) -> str:
        account = pwd.getpwnam(USER)
        switch: dict[str, t.Any] = {}
        if os.geteuid() != account.pw_uid:
            groups = os.getgrouplist(USER, account.pw_gid)
            switch = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": account.pw_dir,
            "PGCLUSTER": self.cluster,
            "PGOPTIONS": PATIENCE,
            "PGAPPNAME": "evenkeel-postgres",
        }
        done = subprocess.run(
            words, input=text, capture_output=True, text=True, check=False, cwd="/", env=environment, **switch
        )
        if done.returncode:
            raise ServerError((done.stderr or done.stdout).strip())
        return done.stdout

    def ask(self, query: str, database: str = "postgres") -> list[dict[str, t.Any]]:
        """The rows that a query gives."""
        rows = f"SELECT row_to_json(asked) FROM (\n{query}\n) AS asked;"
        return [json.loads(line) for line in self.tell(rows, database).splitlines() if line]

    def tell(self, statement: str, database: str = "postgres") -> str:
        words = ["psql", "-XAtqw", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", f"--dbname={database}"]
        return self.run(*words, text=statement)

    def databases(self) -> list[str]:
        found = self.ask("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname")
        return [row["datname"] for row in found]

    def is_replica(self) -> bool:
        return bool(self.ask("SELECT pg_is_in_recovery() AS replica")[0]["replica"])
