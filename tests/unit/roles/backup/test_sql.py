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
