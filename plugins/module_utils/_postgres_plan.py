# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The statements between the users and databases that a server has and those wanted."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_users import (
    APPLICATION,
    BACKUP,
    MONITORING,
    READ_ONLY,
    REPLICA,
    Database,
    User,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._scram import matches

# Written to a role that has no comment yet: what bears it and is wanted no longer may not log in any longer.
MARK = "kept by evenkeel.fleet"
HIDDEN = "********"

PREDEFINED = {BACKUP: "pg_read_all_data", MONITORING: "pg_monitor"}
NO_WRITES = {"default_transaction_read_only": "on"}
# Settings of roles that are ours to take back.
SETTINGS = ("role", *NO_WRITES)


@dataclass(frozen=True)
class Statement:
    sql: str
    # The same without what nobody may read.
    shown: str


@dataclass(frozen=True)
class Role:
    """A role as the server has it."""

    name: str
    login: bool = False
    verifier: str | None = None
    bypassrls: bool = False
    replication: bool = False
    settings: t.Mapping[str, str] = field(default_factory=dict)
    member_of: t.Collection[str] = ()
    comment: str | None = None


@dataclass(frozen=True)
class State:
    roles: t.Mapping[str, Role]
    # Owners by the names of their databases.
    owners: t.Mapping[str, str]


def state_of(row: t.Mapping[str, t.Any]) -> State:
    """What C(STATE) answers."""
    roles = {}
    for role in row["roles"]:
        settings = dict(line.split("=", 1) for line in role.pop("settings") or [])
        roles[role["name"]] = Role(**role, settings=settings)
    return State(roles, row["owners"])


def plan(
    state: State, users: t.Sequence[User], databases: t.Sequence[Database], verifier: t.Callable[[str], str]
) -> list[Statement]:
    """Roles before the databases they own, and before whoever acts as them."""
    owners = {database.owner for database in databases}
    statements = []
    for user in users:
        statements += _role(state.roles.get(user.name), user, verifier)
    for user in users:
        statements += _rights(state.roles.get(user.name, Role(user.name)), user, owners)
    wanted = {user.name for user in users}
    for role in state.roles.values():
        if role.comment == MARK and role.name not in wanted and (role.login or role.verifier):
            statements.append(_open(f"ALTER ROLE {identifier(role.name)} NOLOGIN PASSWORD NULL"))
    for database in databases:
        statements += _database(state.owners, database)
    return statements


def _role(seen: Role | None, user: User, verifier: t.Callable[[str], str]) -> list[Statement]:
    before = seen or Role(user.name)
    wanted = {
        "LOGIN": bool(user.password),
        "BYPASSRLS": user.access == BACKUP,
        "REPLICATION": user.access == REPLICA,
    }
    there = {"LOGIN": before.login, "BYPASSRLS": before.bypassrls, "REPLICATION": before.replication}
    words = [word if on else f"NO{word}" for word, on in wanted.items() if on != there[word]]
    shown = list(words)
    if user.password and not matches(user.password, before.verifier):
        words.append(f"PASSWORD {literal(verifier(user.password))}")
        shown.append(f"PASSWORD {HIDDEN}")
    elif not user.password and before.verifier:
        words.append("PASSWORD NULL")
        shown.append("PASSWORD NULL")
    name = identifier(user.name)
    statements = []
    if seen is None or words:
        verb = "CREATE" if seen is None else "ALTER"
        statements.append(Statement(" ".join([verb, "ROLE", name, *words]), " ".join([verb, "ROLE", name, *shown])))
    if before.comment is None:
        statements.append(_open(f"COMMENT ON ROLE {name} IS {literal(MARK)}"))
    return statements


def _rights(seen: Role, user: User, owners: t.Collection[str]) -> list[Statement]:
    name = identifier(user.name)
    wanted = {user.acts_as, PREDEFINED.get(user.access, "")} - {""}
    ours = {*owners, *PREDEFINED.values()} - {user.name}
    statements = [_open(f"GRANT {identifier(role)} TO {name}") for role in sorted(wanted - set(seen.member_of))]
    for role in sorted(ours & set(seen.member_of) - wanted):
        statements.append(_open(f"REVOKE {identifier(role)} FROM {name}"))
    settings = _settings(user)
    for setting in SETTINGS:
        if setting in settings and seen.settings.get(setting) != settings[setting]:
            statements.append(_open(f"ALTER ROLE {name} SET {setting} = {literal(settings[setting])}"))
        elif setting in seen.settings and setting not in settings:
            statements.append(_open(f"ALTER ROLE {name} RESET {setting}"))
    return statements


def _settings(user: User) -> dict[str, str]:
    if user.access == APPLICATION:
        return {"role": user.acts_as} if user.acts_as else {}
    return {} if user.access == REPLICA else NO_WRITES


def _database(owners: t.Mapping[str, str], database: Database) -> list[Statement]:
    name, owner = identifier(database.name), identifier(database.owner)
    if database.name not in owners:
        return [_open(f"CREATE DATABASE {name} OWNER {owner}")]
    if owners[database.name] != database.owner:
        return [_open(f"ALTER DATABASE {name} OWNER TO {owner}")]
    return []


def readers(users: t.Iterable[User], database: str) -> list[str]:
    return [user.name for user in users if user.access == READ_ONLY and database in user.databases]


def replicas(users: t.Iterable[User]) -> list[str]:
    return [user.name for user in users if user.access == REPLICA]


def missing_inside(database: Database, names: t.Iterable[str], replicas: t.Iterable[str] = ()) -> str:
    """A query for the statements still needed inside a database, of its extensions, its readers, and replicas."""
    return INSIDE.format(
        extensions=_array(database.extensions),
        readers=_array(names),
        replicas=_array(replicas),
        owner=literal(database.owner),
    )


def _array(words: t.Iterable[str]) -> str:
    return f"ARRAY[{', '.join(map(literal, words))}]::text[]"


def _open(sql: str) -> Statement:
    return Statement(sql, sql)


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


STATE = """
SELECT json_build_object(
  'roles', (
    SELECT json_agg(json_build_object(
      'name', rolname,
      'login', rolcanlogin,
      'verifier', rolpassword,
      'bypassrls', rolbypassrls,
      'replication', rolreplication,
      'settings', (SELECT setconfig FROM pg_db_role_setting WHERE setrole = a.oid AND setdatabase = 0),
      'member_of', ARRAY(
        SELECT g.rolname FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid WHERE m.member = a.oid),
      'comment', shobj_description(oid, 'pg_authid')))
    FROM pg_authid a),
  'owners', (SELECT json_object_agg(datname, pg_get_userbyid(datdba)) FROM pg_database));
"""

# A reader who is not there yet is left out: in check mode he is only a promise.
INSIDE = r"""
WITH readers AS (SELECT oid, rolname AS name FROM pg_roles WHERE rolname = ANY ({readers})),
owner AS (SELECT oid, rolname AS name FROM pg_roles WHERE rolname = {owner}),
schemas AS (
  SELECT oid, nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'),
coming(kind, what, privilege) AS (
  VALUES ('n', 'SCHEMAS', 'USAGE'), ('r', 'TABLES', 'SELECT'), ('S', 'SEQUENCES', 'SELECT'))
SELECT to_json(statement) FROM (
  SELECT 1 AS step, format('CREATE EXTENSION %I', name) AS statement
  FROM unnest({extensions}) AS name
  WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = name)
  UNION ALL
  SELECT 2, format('GRANT USAGE ON SCHEMA %I TO %I', nspname, name)
  FROM schemas CROSS JOIN readers
  WHERE NOT has_schema_privilege(readers.oid, schemas.oid, 'USAGE')
  UNION ALL
  SELECT 3, format('GRANT SELECT ON %I.%I TO %I', nspname, relname, name)
  FROM pg_class JOIN schemas ON schemas.oid = relnamespace CROSS JOIN readers
  WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT has_table_privilege(readers.oid, pg_class.oid, 'SELECT')
  UNION ALL
  SELECT 4, format(
    'ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT %s ON %s TO %I', owner.name, privilege, what, readers.name)
  FROM owner CROSS JOIN readers CROSS JOIN coming
  WHERE NOT EXISTS (
    SELECT FROM pg_default_acl CROSS JOIN aclexplode(defaclacl) AS granted
    WHERE defaclrole = owner.oid AND defaclnamespace = 0 AND defaclobjtype::text = kind
      AND granted.grantee = readers.oid AND granted.privilege_type = privilege)
  UNION ALL
  SELECT 5, format('GRANT EXECUTE ON FUNCTION pg_catalog.%s TO %I', signature, rolname)
  FROM pg_roles CROSS JOIN unnest(ARRAY[
    'pg_ls_dir(text, boolean, boolean)', 'pg_stat_file(text, boolean)', 'pg_read_binary_file(text)',
    'pg_read_binary_file(text, bigint, bigint, boolean)']) AS signature
  WHERE rolname = ANY ({replicas}) AND NOT has_function_privilege(oid, 'pg_catalog.' || signature, 'EXECUTE')
) AS missing ORDER BY step, statement;
"""
