# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The SQL of backups and restores, as text; whatever goes into it is quoted here."""

from __future__ import annotations

import re
import typing as t

LONGEST_NAME = 63

NO_TIMEOUTS = r"""
\o /dev/null
SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout');
\o
"""

# Everything a backup needs to know, seen by the snapshot that is dumped.
FACTS = """
SELECT json_build_object(
  'taken', extract(epoch FROM now()),
  'version', current_setting('server_version_num')::int,
  'preload', current_setting('shared_preload_libraries'),
  'bytes', pg_database_size(oid),
  'owner', pg_get_userbyid(datdba),
  'encoding', pg_encoding_to_char(encoding),
  'locale', to_jsonb(d))
FROM pg_database d WHERE datname = current_database();
"""


def of_each_table(rows: str) -> str:
    """How many rows there are of each table that has some of its own and that a dump holds; `rows` is what to count.

    Members of extensions are not dumped.
    """
    return rf"""
SELECT format('SELECT json_build_object(%L, count(*)) FROM {rows}', nspname || '.' || relname, nspname, relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND relpersistence <> 't' AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY 1
\gexec
"""


COUNTS = of_each_table("ONLY %I.%I")
# Enough to see that a table is there and can be read.
FIRST_ROWS = of_each_table("(SELECT FROM ONLY %I.%I LIMIT 1) AS first")

RECOVERING = "SELECT pg_is_in_recovery();"
ROLE = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'leads'
  WHEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 'copies' ELSE 'waits' END;
"""
DATABASES = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1;"
REPLICAS = "SELECT application_name FROM pg_stat_replication ORDER BY 1;"
TABLES = "SELECT count(*) FROM pg_class WHERE relkind = 'r';"
SYSTEM = "SELECT system_identifier FROM pg_control_system();"
SEGMENT = "SELECT pg_size_bytes(current_setting('wal_segment_size'));"

# How it goes with the WAL on its way to the archive.
ARCHIVE = r"""
SELECT json_build_object(
  'mode', current_setting('archive_mode'),
  'command', current_setting('archive_command'),
  'timeout', (SELECT setting::int FROM pg_settings WHERE name = 'archive_timeout'),
  'segment', pg_size_bytes(current_setting('wal_segment_size')),
  'last', last_archived_wal,
  'failing', CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN last_failed_wal END,
  'waiting', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
  'lag', (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(modification)), 0)
          FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'))
FROM pg_stat_archiver;
"""

# What an operator wants to see before saying yes.
LIVE = """
SELECT json_build_object(
  'bytes', pg_database_size(d.oid),
  'connections', (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = d.datname),
  'last_activity', (SELECT max(state_change)::text FROM pg_stat_activity a WHERE a.datname = d.datname),
  'replica', pg_is_in_recovery())
FROM pg_database d WHERE datname = {name};
"""

# One statement, and so one transaction and no waiting for its client in between. It asks who is there once before the
# lock, because what it needs to know for that is then at hand. A rename that still sees a session looks again only
# after a tenth of a second, so none is begun before all have ended.
SWITCH = """
BEGIN
  PERFORM FROM pg_stat_activity WHERE datname IN {names};
  SET LOCAL lock_timeout = '2s';
  SET LOCAL deadlock_timeout = '50ms';
  LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE;
  PERFORM set_config('evenkeel.closed', clock_timestamp()::text, false);
  PERFORM pg_stat_clear_snapshot();
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN {names};
  FOR number IN 1..500 LOOP
    PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname IN {names});
  END LOOP;
  {renames}
END"""
# Seconds from the moment on which no session could begin to the commit; the same session asks it.
SWITCHED = "SELECT extract(epoch FROM clock_timestamp() - current_setting('evenkeel.closed')::timestamptz);"


def identifier(name: str) -> str:
    if "\0" in name or not name:
        raise ValueError("wanted the name of a database, got nothing usable")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    if "\0" in text:
        raise ValueError("wanted text, got a null byte")
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def beside(database: str, kind: str, stamp: str) -> str:
    """The name of a database that stands beside the live one: `new` before the switch, `old` after it."""
    name = f"{database}__{kind}_{stamp.lower()}"
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"{database} is too long a name: beside it no database could be called {name}")
    return name


def create(name: str, facts: t.Mapping[str, t.Any]) -> str:
    """A database of the same owner, encoding and locale as the one that was dumped."""
    locale = facts["locale"]
    words = [
        f"CREATE DATABASE {identifier(name)} TEMPLATE template0 OWNER {identifier(facts['owner'])}",
        f"ENCODING {literal(facts['encoding'])}",
        f"LC_COLLATE {literal(locale['datcollate'])} LC_CTYPE {literal(locale['datctype'])}",
    ]
    special = locale.get("datlocale") or locale.get("daticulocale") or ""  # from Postgres 17 on, and before
    provider = {"i": "icu", "b": "builtin"}.get(locale.get("datlocprovider", "c"))
    if provider:
        words.append(f"LOCALE_PROVIDER {provider} {provider.upper()}_LOCALE {literal(special)}")
    return " ".join(words) + ";"


def terminate(name: str) -> str:
    return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(name)};"


def switch(live: str, aside: str, new: str, properties: str) -> str:
    """Both renames in one transaction: whoever is killed when, there is always one database of the live name.

    New sessions look their database up in pg_database. While that is locked they wait there, before they belong to any
    database, and find the new one afterwards: of a client that comes back at once, one query is lost and no more.
    """
    renames = [f"ALTER DATABASE {identifier(new)} RENAME TO {identifier(live)};"]
    if properties:
        renames.append(f"EXECUTE {literal(properties)};")
    if aside:
        renames.insert(0, f"ALTER DATABASE {identifier(live)} RENAME TO {identifier(aside)};")
    body = SWITCH.format(names=f"({literal(live)}, {literal(new)})", renames="\n  ".join(renames))
    return f"DO {literal(body)};"


# Of what pg_dumpall writes: statements, and between them comments and what begins with a backslash, meant for psql.
STATEMENT = re.compile(r"""\s*(?:--[^\n]*\n|\\[^\n]*\n|((?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^;'"])*;))""")
NAME = r"""("(?:[^"]|"")*"|[^\s";]+)"""
MADE = re.compile(rf"(?:CREATE|ALTER|COMMENT ON) ROLE {NAME}|SECURITY LABEL FOR \S+ ON ROLE {NAME}")
GRANTED = re.compile(rf"GRANT (?:.* ON .*|{NAME}) TO {NAME}", re.DOTALL)


def missing_roles(script: str, there: t.Container[str]) -> str:
    """Of what pg_dumpall writes: the roles that are not there, with all that belongs to them, and nothing else."""
    statements = [found for found in STATEMENT.findall(script) if found]
    wanted = []
    for statement in statements:
        found = MADE.match(statement) or GRANTED.match(statement)
        names = [plain(name) for name in found.groups() if name] if found else []
        if any(name not in there for name in names):
            wanted.append(statement)
    settings = [statement for statement in statements if statement.startswith("SET ")]
    return "\n".join([*settings, *wanted, ""]) if wanted else ""


def plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def properties(script: str) -> str:
    """Of what pg_restore --create writes for a database: its privileges and settings, without the database itself.

    What begins with a backslash is meant for psql, and would leave the transaction that this becomes part of.
    """
    kept: list[str] = []
    section = ""
    for line in script.splitlines():
        found = re.match(r"-- Name: .*; Type: ([A-Z ]+); Schema: ", line)
        section = found[1] if found else section
        if section in ("ACL", "DATABASE PROPERTIES") and not line.startswith(("\\", "--")):
            kept.append(line)
    return "\n".join(line for line in kept if line)
