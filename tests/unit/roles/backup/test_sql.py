# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The SQL of restores: what is quoted, what is one transaction, and what is taken from pg_restore."""

from __future__ import annotations

import pytest
from evenkeel_backup import sql
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = r"""--
-- PostgreSQL database dump
--
\restrict abc
SET statement_timeout = 0;
--
-- Name: notes; Type: DATABASE; Schema: -; Owner: notes
--

CREATE DATABASE notes WITH TEMPLATE = template0;
ALTER DATABASE notes OWNER TO notes;

\connect notes

SET statement_timeout = 0;
--
-- Name: notes; Type: DATABASE PROPERTIES; Schema: -; Owner: notes
--

ALTER DATABASE notes SET work_mem TO '5MB';

\connect notes

--
-- Name: DATABASE notes; Type: ACL; Schema: -; Owner: notes
--

REVOKE CONNECT,TEMPORARY ON DATABASE notes FROM PUBLIC;
--
-- PostgreSQL database dump complete
--
\unrestrict abc
"""


def test_privileges_and_settings_are_taken_and_nothing_else() -> None:
    assert sql.properties(SCRIPT).splitlines() == [
        "ALTER DATABASE notes SET work_mem TO '5MB';",
        "REVOKE CONNECT,TEMPORARY ON DATABASE notes FROM PUBLIC;",
    ]


def test_both_renames_and_the_settings_are_one_statement() -> None:
    script = sql.switch("notes", "notes__old", "it's new", "GRANT x;")
    assert script.startswith("DO '")
    assert script.endswith("END';")
    inner = script.removeprefix("DO '").removesuffix("';").replace("''", "'")
    assert [line.strip() for line in inner.splitlines()[-4:]] == [
        'ALTER DATABASE "notes" RENAME TO "notes__old";',
        'ALTER DATABASE "it\'s new" RENAME TO "notes";',
        "EXECUTE 'GRANT x;';",
        "END",
    ]


def test_nobody_gets_into_either_while_they_are_renamed() -> None:
    script = sql.switch("notes", "notes__old", "notes__new", "")
    lock, terminate, rename = (script.index(word) for word in ("LOCK TABLE", "pg_terminate_backend", "RENAME"))
    assert lock < terminate < rename


def test_where_nothing_is_live_there_is_one_rename() -> None:
    assert sql.switch("notes", "", "notes__new", "").count("RENAME") == 1


def test_a_name_too_long_to_stand_beside_is_refused() -> None:
    assert len(sql.beside("x" * 41, "new", "20260301T020000Z")) == 63
    with pytest.raises(ValueError, match="too long a name"):
        sql.beside("x" * 42, "new", "20260301T020000Z")


def test_a_database_is_made_like_the_one_that_was_dumped() -> None:
    facts = {"owner": "o", "encoding": "UTF8", "locale": {"datcollate": "C", "datctype": "C", "datlocprovider": "c"}}
    made = "CREATE DATABASE \"n\" TEMPLATE template0 OWNER \"o\" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    assert sql.create("n", facts) == f"{made};"
    for provider, key in (("i", "daticulocale"), ("i", "datlocale"), ("b", "datlocale")):
        locale = {"datcollate": "C", "datctype": "C", "datlocprovider": provider, key: "de"}
        word = {"i": "icu", "b": "builtin"}[provider]
        tail = f" LOCALE_PROVIDER {word} {word.upper()}_LOCALE 'de';"
        assert sql.create("n", {**facts, "locale": locale}) == made + tail


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_nothing_gets_out_of_its_quotes(text: str) -> None:
    quoted = sql.identifier(text)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "") == text.replace('"', "")
    literal = sql.literal(text)
    inside = literal[literal.index("'") + 1 : -1].replace("\\\\", "").replace("''", "")
    assert "'" not in inside
    assert "\\" not in inside


GLOBALS = r"""--
-- PostgreSQL database cluster dump
--

\restrict k3y

SET standard_conforming_strings = on;

CREATE ROLE notes;
ALTER ROLE notes WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x=$y=:z=';
COMMENT ON ROLE notes IS 'reads; and
CREATE ROLE nobody;
\! it''s "all" text';
CREATE ROLE "odd; ""role";
ALTER ROLE "odd; ""role" WITH NOLOGIN;
CREATE ROLE reader;
ALTER ROLE reader WITH NOLOGIN;
ALTER ROLE notes SET work_mem TO '8MB';
ALTER ROLE reader SET work_mem TO '8MB';
GRANT reader TO "odd; ""role" WITH INHERIT TRUE GRANTED BY postgres;
GRANT reader TO notes;
GRANT SET ON PARAMETER work_mem TO notes;
CREATE TABLESPACE fast OWNER notes LOCATION '/fast';

\unrestrict k3y

--
-- PostgreSQL database cluster dump complete
--
"""


def first_words(script: str) -> list[str]:
    return [" ".join(line.split()[:3]) for line in script.split(";\n") if line.strip()]


READER = ["CREATE ROLE reader", "ALTER ROLE reader", "ALTER ROLE reader", "GRANT reader TO", "GRANT reader TO"]
ODD = ['CREATE ROLE "odd;', 'ALTER ROLE "odd;', "GRANT reader TO"]


@pytest.mark.parametrize(
    ("there", "left"),
    [
        (["postgres", "notes", 'odd; "role', "reader"], []),
        (["notes", 'odd; "role'], READER),
        (["notes", "reader"], ODD),
    ],
)
def test_of_users_only_those_that_are_missing_are_made(there: list[str], left: list[str]) -> None:
    """Whoever may not log in any more, or has another password by now, is left alone."""
    settings = ["SET standard_conforming_strings ="] if left else []
    assert first_words(sql.missing_roles(GLOBALS, there)) == [*settings, *left]


def test_a_user_that_is_missing_is_made_as_it_was() -> None:
    made = sql.missing_roles(GLOBALS, ["reader", 'odd; "role'])
    assert "'reads; and\nCREATE ROLE nobody;\n\\! it''s \"all\" text';" in made
    for words in (
        "CREATE ROLE notes;",
        "LOGIN PASSWORD 'SCRAM",
        "work_mem TO '8MB'",
        "GRANT reader TO notes",
        "PARAMETER",
    ):
        assert words in made
    assert "restrict k3y" not in made
