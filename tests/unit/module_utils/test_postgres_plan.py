# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _scram
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_plan import (
    MARK,
    Role,
    State,
    missing_inside,
    plan,
    readers,
    state_of,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_users import Database, User

NOTES = Database("notes", "notes")
OWNER = User("notes")
APPLICATION = User("notes_a", password="secret", databases=("notes",), acts_as="notes")
READER = User("reader", "read_only", "secret", databases=("notes",))


def verifier(password: str) -> str:
    return _scram.verifier(password, b"salt", 1)


KEPT = verifier("secret")

OWNER_ROLE = Role("notes", comment=MARK)
APPLICATION_ROLE = Role(
    "notes_a", login=True, verifier=KEPT, settings={"role": "notes"}, member_of=["notes"], comment=MARK
)
READER_ROLE = Role("reader", login=True, verifier=KEPT, settings={"default_transaction_read_only": "on"}, comment=MARK)


def shown(*roles: Role, wanted: t.Sequence[User] = (OWNER, APPLICATION), owner: str = "notes") -> list[str]:
    state = State({role.name: role for role in roles}, {"notes": owner})
    return [statement.shown for statement in plan(state, wanted, [NOTES], verifier)]


def test_a_new_server_gets_roles_and_then_their_databases() -> None:
    statements = plan(State({}, {}), [OWNER, APPLICATION], [NOTES], verifier)
    assert [statement.shown for statement in statements] == [
        'CREATE ROLE "notes"',
        f"COMMENT ON ROLE \"notes\" IS '{MARK}'",
        'CREATE ROLE "notes_a" LOGIN PASSWORD ********',
        f"COMMENT ON ROLE \"notes_a\" IS '{MARK}'",
        'GRANT "notes" TO "notes_a"',
        "ALTER ROLE \"notes_a\" SET role = 'notes'",
        'CREATE DATABASE "notes" OWNER "notes"',
    ]
    assert statements[2].sql == f"CREATE ROLE \"notes_a\" LOGIN PASSWORD '{KEPT}'"


def test_what_is_as_wanted_stays() -> None:
    assert shown(OWNER_ROLE, APPLICATION_ROLE) == []


def test_a_new_password_changes_nothing_else() -> None:
    old = dataclasses.replace(APPLICATION_ROLE, verifier=verifier("old"))
    assert shown(OWNER_ROLE, old) == ['ALTER ROLE "notes_a" PASSWORD ********']


def test_no_password_is_sent() -> None:
    statements = plan(State({}, {}), [OWNER, APPLICATION], [NOTES], verifier)
    assert not [statement for statement in statements if "secret" in statement.sql + statement.shown]
    assert not [statement for statement in statements if KEPT in statement.shown]


def test_an_owner_who_loses_his_password_may_not_log_in() -> None:
    login = dataclasses.replace(OWNER_ROLE, login=True, verifier=KEPT)
    assert shown(login, APPLICATION_ROLE) == ['ALTER ROLE "notes" NOLOGIN PASSWORD NULL']


def test_whoever_is_listed_no_longer_may_not_log_in() -> None:
    assert shown(OWNER_ROLE, APPLICATION_ROLE, wanted=[OWNER]) == ['ALTER ROLE "notes_a" NOLOGIN PASSWORD NULL']
    retired = dataclasses.replace(APPLICATION_ROLE, login=False, verifier=None)
    assert shown(OWNER_ROLE, retired, wanted=[OWNER]) == []


def test_roles_of_others_are_left_alone() -> None:
    stranger = Role("dba", login=True, verifier=KEPT, member_of=["notes"], comment="ask Ann")
    assert shown(OWNER_ROLE, APPLICATION_ROLE, stranger, dataclasses.replace(stranger, name="dbb", comment=None)) == []


def test_a_role_with_another_comment_keeps_it() -> None:
    assert shown(OWNER_ROLE, dataclasses.replace(APPLICATION_ROLE, comment="for the notes")) == []


@pytest.mark.parametrize(
    ("access", "statements"),
    [
        (
            "backup",
            [
                'CREATE ROLE "x" LOGIN BYPASSRLS PASSWORD ********',
                'GRANT "pg_read_all_data" TO "x"',
                "ALTER ROLE \"x\" SET default_transaction_read_only = 'on'",
            ],
        ),
        (
            "monitoring",
            [
                'CREATE ROLE "x" LOGIN PASSWORD ********',
                'GRANT "pg_monitor" TO "x"',
                "ALTER ROLE \"x\" SET default_transaction_read_only = 'on'",
            ],
        ),
        ("replica", ['CREATE ROLE "x" LOGIN REPLICATION PASSWORD ********']),
    ],
)
def test_each_gets_what_it_needs(access: str, statements: list[str]) -> None:
    wanted = [OWNER, User("x", access, "secret")]
    assert [line for line in shown(OWNER_ROLE, wanted=wanted) if "COMMENT" not in line] == statements


def test_rights_that_are_wanted_no_longer_are_taken() -> None:
    was_application = dataclasses.replace(APPLICATION_ROLE, name="reader")
    assert shown(OWNER_ROLE, was_application, wanted=[OWNER, READER]) == [
        'REVOKE "notes" FROM "reader"',
        'ALTER ROLE "reader" RESET role',
        "ALTER ROLE \"reader\" SET default_transaction_read_only = 'on'",
    ]
    was_backup = dataclasses.replace(READER_ROLE, bypassrls=True, member_of=["pg_read_all_data", "friends"])
    assert shown(OWNER_ROLE, was_backup, wanted=[OWNER, READER]) == [
        'ALTER ROLE "reader" NOBYPASSRLS',
        'REVOKE "pg_read_all_data" FROM "reader"',
    ]


def test_a_database_may_change_its_owner() -> None:
    assert shown(OWNER_ROLE, APPLICATION_ROLE, owner="postgres") == ['ALTER DATABASE "notes" OWNER TO "notes"']


def test_the_answer_of_a_server_is_understood() -> None:
    row = {
        "name": "notes_a",
        "login": True,
        "verifier": KEPT,
        "bypassrls": False,
        "replication": False,
        "settings": ["role=notes", "search_path=a=b"],
        "member_of": ["notes"],
        "comment": None,
    }
    role = state_of({"roles": [row], "owners": {"notes": "notes"}}).roles["notes_a"]
    assert role.settings == {"role": "notes", "search_path": "a=b"}
    assert state_of({"roles": [{**role.__dict__, "settings": None}], "owners": {}}).roles["notes_a"].settings == {}


def test_readers_are_those_of_the_database() -> None:
    assert readers([OWNER, APPLICATION, READER], "notes") == ["reader"]
    assert readers([READER], "memos") == []


def test_names_stay_names_inside_a_query() -> None:
    query = missing_inside(Database("notes", "o'x", extensions=("uuid-ossp",)), ["r'); DROP"])
    assert "ARRAY['r''); DROP']::text[]" in query
    assert "ARRAY['uuid-ossp']::text[]" in query
    assert "rolname = 'o''x'" in query
