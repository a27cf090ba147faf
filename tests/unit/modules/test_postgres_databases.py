# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of a server, and when. That real servers take it, the scenario `data` shows."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _postgres_plan
from ansible_collections.evenkeel.fleet.plugins.modules import postgres_databases

from .conftest import Run

DATABASES = [{"name": "notes", "extensions": ["pg_trgm"]}]
USERS = [{"name": "notes_a", "password": "hunter22", "databases": ["notes"]}]


class Server:
    """Has no roles and no databases, and remembers what it was told."""

    replica = False
    told: t.ClassVar[list[tuple[str, str]]] = []

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster

    def is_replica(self) -> bool:
        return self.replica

    def ask(self, script: str, database: str = "postgres") -> list[t.Any]:
        if script == _postgres_plan.STATE:
            return [{"roles": [], "owners": {}}]
        if "ARRAY" in script:
            return [f"CREATE EXTENSION in {database}"]
        self.told.append((database, script))
        return []


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> type[Server]:
    monkeypatch.setattr(Server, "told", [])
    monkeypatch.setattr(postgres_databases, "Server", Server)
    return Server


def keep(run: Run, **how: t.Any) -> dict[str, t.Any]:
    return run(postgres_databases, cluster="17/main", databases=DATABASES, users=USERS, **how)


def test_extensions_come_after_the_database(run: Run, server: type[Server]) -> None:
    result = keep(run)
    assert result["changed"]
    assert [database for database, _script in server.told] == ["postgres", "postgres", "notes"]
    assert server.told[0][1].endswith('CREATE DATABASE "notes" OWNER "notes";\n')
    assert result["statements"][-1] == "CREATE EXTENSION in notes"


def test_check_mode_tells_the_server_nothing(run: Run, server: type[Server]) -> None:
    result = keep(run, check=True)
    assert result["changed"]
    assert server.told == []
    # A database that is only promised cannot be looked into.
    assert result["statements"][-1] == 'CREATE DATABASE "notes" OWNER "notes"'


def test_a_replica_is_refused(run: Run, server: type[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "replica", True)
    assert "copies another server and takes no writes" in keep(run)["msg"]
    assert server.told == []


def test_no_password_is_sent_or_said(run: Run, server: type[Server]) -> None:
    said = str(keep(run))
    assert "hunter22" not in said
    assert "SCRAM" not in said
    assert "hunter22" not in str(server.told)


def test_what_does_not_go_together_is_refused(run: Run, server: type[Server]) -> None:
    result = run(postgres_databases, cluster="17/main", users=USERS)
    assert result["failed"]
    assert "none of postgres_databases" in result["msg"]
    assert server.told == []
