# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_users import (
    Database,
    User,
    access_rules,
    databases_of,
    users_of,
)

NOTES = Database("notes", "notes", ("app",))
MEMOS = Database("memos", "memos", ("app",))
ADDRESSES = {"app": ["192.0.2.1", "2001:db8::1"], "report": ["report.example.com"]}


def addresses(names: t.Iterable[str]) -> list[str]:
    return [address for name in names for address in ADDRESSES[name]]


def users(*given: dict[str, t.Any]) -> list[User]:
    return users_of(given, [NOTES, MEMOS])


def rules(*given: dict[str, t.Any], tls: bool = True) -> list[str]:
    return access_rules([NOTES], users_of(given, [NOTES]), addresses, tls)


def test_an_owner_is_called_like_his_database_unless_somebody_says_otherwise() -> None:
    assert databases_of([{"name": "notes", "hosts": ["app"]}, {"name": "memos", "owner": "notes"}]) == [
        NOTES,
        Database("memos", "notes"),
    ]


def test_an_owner_who_is_no_user_is_a_role_without_password() -> None:
    assert users() == [User("notes"), User("memos")]


def test_a_user_may_be_the_owner_himself() -> None:
    assert users({"name": "notes", "password": "x"}) == [
        User("memos"),
        User("notes", password="x", databases=("notes",)),
    ]


def test_an_application_acts_as_the_owner() -> None:
    assert users({"name": "a", "password": "x", "databases": ["notes"]})[-1] == User(
        "a", password="x", databases=("notes",), acts_as="notes"
    )


@pytest.mark.parametrize("access", ["backup", "monitoring", "replica"])
def test_others_act_as_nobody(access: str) -> None:
    assert users({"name": "a", "password": "x", "access": access})[-1] == User("a", access, "x")


def test_a_user_comes_from_the_hosts_of_his_database_over_tls() -> None:
    assert rules({"name": "a", "password": "x", "databases": ["notes"]}) == [
        'host "notes" "a" 127.0.0.1/32 scram-sha-256',
        'host "notes" "a" ::1/128 scram-sha-256',
        'hostssl "notes" "a" 192.0.2.1/32 scram-sha-256',
        'hostssl "notes" "a" 2001:db8::1/128 scram-sha-256',
    ]


def test_a_user_may_have_hosts_of_his_own() -> None:
    reader = {"name": "r", "password": "x", "access": "read_only", "databases": ["notes"], "hosts": ["report"]}
    assert rules(reader)[2:] == ['hostssl "notes" "r" report.example.com scram-sha-256']
    assert rules({**reader, "hosts": []})[2:] == []


def test_without_tls_nobody_needs_it() -> None:
    assert rules({"name": "notes", "password": "x"}, tls=False)[2] == 'host "notes" "notes" 192.0.2.1/32 scram-sha-256'


def test_a_role_without_password_comes_from_nowhere() -> None:
    assert rules({"name": "notes"}) == []


@pytest.mark.parametrize(("access", "database"), [("backup", "all"), ("monitoring", "all"), ("replica", "replication")])
def test_who_looks_after_the_server_comes_from_itself_and_from_named_hosts(access: str, database: str) -> None:
    assert rules({"name": "a", "password": "x", "access": access, "hosts": ["report"]})[:3] == [
        f'host {database} "a" 127.0.0.1/32 scram-sha-256',
        f'host {database} "a" ::1/128 scram-sha-256',
        f'hostssl {database} "a" report.example.com scram-sha-256',
    ]


@pytest.mark.parametrize(
    ("user", "complaint"),
    [
        ({"name": "a"}, "a reaches no database"),
        ({"name": "a", "access": "read_only"}, "a reaches no database"),
        ({"name": "a", "databases": ["other"]}, "a wants database other, which is none of postgres_databases"),
        ({"name": "a", "databases": ["notes", "memos"]}, "a would act for memos and notes"),
        ({"name": "notes", "access": "read_only"}, "notes owns notes and is there for read_only"),
        ({"name": "a", "access": "replica", "databases": ["notes"]}, "a copies the whole server"),
        ({"name": "a", "access": "root"}, "access of a is 'root'"),
        ({"name": "postgres", "databases": ["notes"]}, "postgres is the server's own"),
        ({"name": "pg_monitor", "databases": ["notes"]}, "pg_monitor is the server's own"),
        ({"name": "b", "databases": ["notes"]}, "b is there twice"),
    ],
)
def test_users_who_do_not_go_together_with_databases_are_refused(user: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        users({"name": "b", "password": "hunter2", "databases": ["notes"]}, {**user, "password": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_databases_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="postgres_databases: notes is there twice"):
        databases_of([{"name": "notes"}, {"name": "notes"}])
