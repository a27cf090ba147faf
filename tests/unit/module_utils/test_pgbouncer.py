# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _pgbouncer
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_users import Database, User, users_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._scram import verifier

NOTES = Database("notes", "notes", ("app",))
MEMOS = Database("memos", "memos", ("app",))
ADDRESSES = {"app": ["192.0.2.1", "2001:db8::1"], "monitor": ["192.0.2.9"], "named": ["db.example.com"]}
READER = {"name": "reader", "password": "x", "access": "read_only", "databases": ["notes", "memos"]}
WATCHER = {"name": "watcher", "password": "x", "access": "monitoring", "hosts": ["monitor"]}
COPIER = {"name": "copier", "password": "x", "access": "backup", "hosts": ["app"]}
FOLLOWER = {"name": "follower", "password": "x", "access": "replica", "hosts": ["app"]}


def addresses(names: t.Iterable[str]) -> list[str]:
    return [address for name in names for address in ADDRESSES[name]]


def users(*given: dict[str, t.Any]) -> list[User]:
    return users_of(given, [NOTES, MEMOS])


def rules(*given: dict[str, t.Any], database: Database = NOTES, tls: bool = True) -> list[str]:
    return _pgbouncer.rules([database, MEMOS], users(*given), addresses, tls)


def settings(given: dict[str, t.Any]) -> list[str]:
    text = _pgbouncer.settings_text([NOTES], users({"name": "notes", "password": "x"}, WATCHER), 5433, given)
    return text.splitlines()


def test_who_comes_through_it_is_let_in_as_by_the_server() -> None:
    assert rules({"name": "notes", "password": "x"}) == [
        'host "notes" "notes" 127.0.0.1/32 scram-sha-256',
        'host "notes" "notes" ::1/128 scram-sha-256',
        'hostssl "notes" "notes" 192.0.2.1/32 scram-sha-256',
        'hostssl "notes" "notes" 2001:db8::1/128 scram-sha-256',
    ]
    assert rules({"name": "notes", "password": "x"}, tls=False)[-1].startswith("host ")


def test_who_watches_reaches_its_figures_and_no_database() -> None:
    assert [rule.split()[1] for rule in rules(WATCHER)] == ['"pgbouncer"'] * 3
    assert rules(WATCHER)[-1] == 'hostssl "pgbouncer" "watcher" 192.0.2.9/32 scram-sha-256'


@pytest.mark.parametrize("user", [COPIER, FOLLOWER, {"name": "notes"}])
def test_who_needs_the_server_itself_or_has_no_password_does_not_come_through_it(user: dict[str, t.Any]) -> None:
    assert rules(user) == []


def test_hosts_of_which_only_a_name_is_known_are_refused() -> None:
    with pytest.raises(ValueError, match=r"addresses and not names such as db.example.com; .* fleet_address"):
        rules({"name": "notes", "password": "x"}, database=Database("notes", "notes", ("named",)))


def test_each_user_of_a_database_has_an_equal_share_of_connections() -> None:
    assert _pgbouncer.share(160, users({"name": "notes", "password": "x"})) == 160
    assert _pgbouncer.share(160, users({"name": "notes", "password": "x"}, READER, WATCHER, COPIER)) == 53
    assert _pgbouncer.share(160, users(WATCHER)) == 160


def test_too_few_connections_for_a_share_are_refused() -> None:
    with pytest.raises(ValueError, match=r"2 users .* pgbouncer has 1, .* raise postgres_settings.max_connections"):
        _pgbouncer.share(1, users(READER))


def test_settings_name_each_database_and_nothing_else_is_reached() -> None:
    lines = settings({"pool_mode": "session", "so_reuseport": True})
    assert lines[1:4] == ["[databases]", "notes = host=127.0.0.1 port=5433 dbname=notes", "[pgbouncer]"]
    assert {"pool_mode = session", "so_reuseport = 1", "stats_users = watcher", "listen_port = 6432"} <= {*lines}


@pytest.mark.parametrize("name", sorted(_pgbouncer.FIXED))
def test_what_the_role_relies_on_is_not_for_others_to_set(name: str) -> None:
    with pytest.raises(ValueError, match=rf"postgres_pgbouncer_settings\.{name} is the role's own"):
        settings({name: "x"})


def test_a_database_or_user_that_is_called_like_its_console_is_refused() -> None:
    for databases, given in (
        ([Database("pgbouncer", "notes")], users()),
        ([NOTES], users({"name": "pgbouncer", "password": "x", "databases": ["notes"]})),
    ):
        with pytest.raises(ValueError, match="pgbouncer is pgbouncer's own"):
            _pgbouncer.settings_text(databases, given, 5432, {})


def test_a_trial_listens_where_nobody_else_looks() -> None:
    lines = _pgbouncer.trial_text("[pgbouncer]\nlisten_addr = 192.0.2.1\n", "/tmp/x").splitlines()
    assert [line for line in lines if line.startswith("listen_addr")][-1] == "listen_addr = "
    assert {"auth_file = /tmp/x/userlist.txt", "unix_socket_dir = /tmp/x"} <= {*lines}


def test_users_stand_there_with_verifiers() -> None:
    assert _pgbouncer.users_text({"b": "two", "a": "one"}) == '"a" "one"\n"b" "two"\n'


def test_a_user_whose_password_the_server_has_not_heard_of_is_unknown() -> None:
    there = {"a": verifier("right", b"salt"), "b": verifier("wrong", b"salt")}
    assert _pgbouncer.unknown({"a": "right", "b": "right", "c": "right"}, there) == ["b", "c"]


def test_what_a_trial_says_is_told_without_dates_and_process_numbers() -> None:
    said = (
        "2026-11-21 21:46:11.198 UTC [2468] LOG process up\n"
        "2026-11-21 21:46:11.198 UTC [2468] ERROR unknown parameter: pgbouncer/no_such\n"
        "2026-11-21 21:46:11.229 UTC [2468] FATAL cannot load config file\n"
    )
    assert _pgbouncer.complaints(said) == ["unknown parameter: pgbouncer/no_such", "cannot load config file"]


def test_what_only_a_restart_changes_is_pending() -> None:
    config = [
        ["listen_backlog", "128", "128", "no"],
        ["listen_port", "6432", "6432", "no"],
        ["pkt_buf", "4096", "4096", "no"],
        ["pool_mode", "session", "session", "yes"],
    ]
    written = "[databases]\n[pgbouncer]\nlisten_backlog = 64\nlisten_port = 6432\npool_mode = transaction\n"
    assert _pgbouncer.pending(config, written) == ["listen_backlog"]
