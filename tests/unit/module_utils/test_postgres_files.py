# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_files import (
    HEADING,
    bad_rules,
    complaints,
    fragment_lines,
    own_lines,
    refused_rules,
    refused_settings,
    rule_lines,
    rules_text,
    settings_text,
)

LOOPBACK = "host all ann 127.0.0.1/32 scram-sha-256"


def test_settings_are_quoted() -> None:
    text = settings_text({"work_mem": "8MB", "jit": False, "fsync": True, "search_path": "it's \\ x", "port": 5432})
    assert text.splitlines() == [
        HEADING,
        "fsync = 'on'",
        "jit = 'off'",
        "port = '5432'",
        "search_path = 'it''s \\\\ x'",
        "work_mem = '8MB'",
    ]


def test_rules_stand_between_the_superuser_and_the_rejection_of_all_others() -> None:
    text = rules_text(rule_lines(["of users"], ["of mine"], {"b.conf": "third\n", "a.conf": "first\nsecond"}))
    assert text.splitlines()[2:] == [
        "local all postgres peer",
        "of users",
        "of mine",
        "first",
        "second",
        "third",
        "local all all reject",
        "host all all all reject",
        "host replication all all reject",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (4, "postgres_users: bad: of users"),
        (6, "postgres_hba[1]: bad: second of mine"),
        (8, "pg_hba.d/a.conf line 2: bad: there"),
        (3, "pg_hba.conf: bad: local all postgres peer"),
    ],
)
def test_a_refused_rule_is_called_by_where_it_comes_from(line: int, said: str) -> None:
    lines = rule_lines(["of users"], ["of mine", "second of mine"], {"a.conf": "here\nthere"})
    assert refused_rules(lines, [{"line": line, "error": "bad"}]) == [said]


def test_a_refused_setting_is_called_by_its_variable() -> None:
    said = (
        '2026-11-21 18:45:25.950 GMT [1] LOG:  unrecognized configuration parameter "work_mme" in file "/x" line 2\n'
        '2026-11-21 18:45:25.951 GMT [28405] LOG:  invalid value for parameter "shared_buffers": "64TB"\n'
        "2026-11-21 18:45:25.951 GMT [28405] HINT:  Value exceeds integer range.\n"
        '2026-11-21 18:45:25.952 GMT [28405] FATAL:  configuration file "/x" contains errors\n'
    )
    assert refused_settings(said, ["work_mme"]) == [
        'postgres_settings.work_mme: unrecognized configuration parameter "work_mme"',
        'a setting of the role: invalid value for parameter "shared_buffers": "64TB" (Value exceeds integer range.)',
    ]


def test_what_names_no_setting_is_said_too() -> None:
    said = '2026-11-21 18:45:26.052 GMT [1] LOG:  syntax error in file "/x" line 2, near token "\'"\n'
    assert refused_settings(said, []) == ['syntax error, near token "\'"']
    assert refused_settings("postgres: cannot execute\n", []) == ["postgres: cannot execute"]


@pytest.mark.parametrize(
    "rule",
    [
        "# a comment",
        "",
        "local all ann peer map=ops",
        'hostssl "my db" ann 192.0.2.0/24 scram-sha-256',
        "hostssl all ann 10.1.2.3/8 scram-sha-256 clientcert=verify-full",
        "host all ann 192.0.2.0 255.255.255.0 scram-sha-256",
        "host all ann .example.com scram-sha-256",
        "host all ann samenet scram-sha-256",
        "host all all 127.0.0.1/32 reject",
    ],
)
def test_good_rules_pass(rule: str) -> None:
    assert bad_rules(own_lines([rule])) == []


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("hots all ann 192.0.2.0/24 scram-sha-256", "a rule begins with one of local, host"),
        ("local all ann", "it wants local, database, user and method"),
        ("host all ann scram-sha-256", "it wants host, database, user, address and method"),
        ("host all ann 192.0.2.0/42 scram-sha-256", "192.0.2.0/42 is no network"),
        ("host all ann 192.0.2.0 255.0.255.0 scram-sha-256", "192.0.2.0/255.0.255.0 is no network"),
        ("host all ann 2001:db8::g/64 scram-sha-256", "2001:db8::g/64 is no network"),
        ("host all ann 192.0.2.1 scram-sha-256", "192.0.2.1 wants a mask"),
    ],
)
def test_bad_rules_are_called_by_their_variable(rule: str, why: str) -> None:
    [problem] = bad_rules(own_lines(["", rule]))
    assert problem.startswith(f"postgres_hba[1]: {why}")
    assert problem.endswith(f": {rule}")


def test_who_lets_one_loopback_in_forgets_the_other() -> None:
    [problem] = bad_rules(fragment_lines({"a.conf": LOOPBACK}))
    assert problem.startswith("pg_hba.d/a.conf line 1: it lets 127.0.0.1/32 in but not ::1/128")
    other = LOOPBACK.replace("all ann", "notes ann")
    assert bad_rules(own_lines([LOOPBACK, other.replace("127.0.0.1/32", "::1/128")])) != []


@pytest.mark.parametrize("both", ["::1/128", "all", "samehost", "localhost"])
def test_who_thinks_of_both_loopbacks_is_right(both: str) -> None:
    assert bad_rules(own_lines([LOOPBACK, LOOPBACK.replace("127.0.0.1/32", both)])) == []


def test_a_log_tells_why_its_server_gave_up() -> None:
    log = """\
2026-11-21 20:36:00 UTC [7] LOG:  entering standby mode
2026-11-21 20:36:01 UTC [8] FATAL:  could not start WAL streaming: timeline 1 is not in this server's history
2026-11-21 20:36:01 UTC [7] HINT:  wait
"""
    assert complaints(log) == [
        "could not start WAL streaming: timeline 1 is not in this server's history",
        "wait",
    ]
    assert complaints("") == []
