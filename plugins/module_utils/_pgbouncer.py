# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The files that tell pgbouncer whom to let in, and on how many connections."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import replace

from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_files import HEADING
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_users import (
    APPLICATION,
    MONITORING,
    READ_ONLY,
    Database,
    User,
    access_rules,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._scram import matches

# The database that is pgbouncer itself, and the user as whom its own account asks it.
CONSOLE = "pgbouncer"
# What the role itself relies on.
FIXED = (
    "admin_users",
    "auth_file",
    "auth_hba_file",
    "auth_type",
    "listen_port",
    "logfile",
    "pidfile",
    "stats_users",
    "syslog",
    "unix_socket_dir",
    "unix_socket_mode",
    "user",
)


DIRECTORY = "/etc/evenkeel/pgbouncer"
SETTINGS = f"{DIRECTORY}/pgbouncer.ini"
RULES = f"{DIRECTORY}/pg_hba.conf"
USERS = f"{DIRECTORY}/userlist.txt"
# Where its own account reaches it.
SOCKETS = "/run/pgbouncer"
PORT = 6432


def pooled(users: t.Iterable[User]) -> list[User]:
    """Those who reach their databases through it."""
    return [user for user in users if user.password and user.access in (APPLICATION, READ_ONLY) and user.databases]


def watchers(users: t.Iterable[User]) -> list[User]:
    """Those who ask it for figures."""
    return [user for user in users if user.password and user.access == MONITORING]


def rules(
    databases: t.Sequence[Database],
    users: t.Sequence[User],
    addresses: t.Callable[[t.Iterable[str]], t.Iterable[str]],
    tls: bool,
) -> list[str]:
    """Lines of its own pg_hba.conf. Raises ValueError for a name in place of an address, of which it knows nothing."""
    console = [replace(user, databases=(CONSOLE,), hosts=user.hosts or ()) for user in watchers(users)]

    def numeric(names: t.Iterable[str]) -> list[str]:
        found = list(addresses(names))
        for address in found:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ValueError(
                    f"postgres_pgbouncer: pgbouncer lets in addresses and not names such as {address}; give that host "
                    "its address as fleet_address"
                ) from None
        return found

    return access_rules(databases, [*pooled(users), *console], numeric, tls)


def share(connections: int, users: t.Iterable[User]) -> int:
    """How many connections each user may have to each of his databases. Raises ValueError if there is not one."""
    pools = sum(len(user.databases) for user in pooled(users))
    if pools > connections:
        raise ValueError(
            f"postgres_pgbouncer: {pools} users of databases want a connection each, and pgbouncer has {connections}, "
            "four fifths of max_connections; raise postgres_settings.max_connections"
        )
    return connections // max(pools, 1)


def settings_text(
    databases: t.Iterable[Database], users: t.Sequence[User], port: int, settings: t.Mapping[str, t.Any]
) -> str:
    """The whole of pgbouncer.ini. Raises ValueError for what only the role may set."""
    names = [database.name for database in databases]
    if CONSOLE in names or CONSOLE in {user.name for user in users}:
        raise ValueError(f"{CONSOLE} is pgbouncer's own; the database or user of postgres_pgbouncer wants another name")
    if taken := sorted({*FIXED} & {*settings}):
        raise ValueError(f"postgres_pgbouncer_settings.{taken[0]} is the role's own; take it out")
    fixed = {
        "auth_type": "hba",
        "auth_file": USERS,
        "auth_hba_file": RULES,
        "listen_port": PORT,
        "pidfile": f"{SOCKETS}/pgbouncer.pid",
        "stats_users": ",".join(user.name for user in watchers(users)),
        "unix_socket_dir": SOCKETS,
    }
    return "\n".join(
        [
            HEADING,
            "[databases]",
            # By way of loopback, where the server knows the same users by the same passwords.
            *(f"{name} = host=127.0.0.1 port={port} dbname={name}" for name in names),
            "[pgbouncer]",
            *(f"{name} = {_value(value)}" for name, value in sorted({**settings, **fixed}.items())),
            "",
        ]
    )


def _value(value: t.Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def trial_text(settings: str, directory: str) -> str:
    """The same for one that only we reach, with its files in a directory: the last of several equal names counts."""
    own = {
        "auth_file": f"{directory}/userlist.txt",
        "auth_hba_file": f"{directory}/pg_hba.conf",
        "listen_addr": "",
        "pidfile": f"{directory}/pgbouncer.pid",
        "unix_socket_dir": directory,
    }
    return settings + "".join(f"{name} = {value}\n" for name, value in own.items())


def rules_text(lines: t.Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in [HEADING, *lines])


def users_text(verifiers: t.Mapping[str, str]) -> str:
    """Whom it knows, by what the server keeps of their passwords: with that it can log in as who has logged in."""
    return "".join(f'"{name}" "{verifier}"\n' for name, verifier in sorted(verifiers.items()))


def unknown(passwords: t.Mapping[str, str], verifiers: t.Mapping[str, str]) -> list[str]:
    """The users of whom the server does not know yet by which password they log in."""
    return [name for name, password in sorted(passwords.items()) if not matches(password, verifiers.get(name))]


def complaints(said: str) -> list[str]:
    """What one that began with new files has against them."""
    return [
        line.split(f" {level} ", 1)[1]
        for line in said.splitlines()
        for level in ("WARNING", "ERROR", "FATAL")
        if f" {level} " in line
    ]


def pending(config: t.Iterable[t.Sequence[str]], settings: str) -> list[str]:
    """Of what it says of its settings, those that are written otherwise and that only a restart changes."""
    written = dict(line.split(" = ", 1) for line in settings.partition("[pgbouncer]\n")[2].splitlines())
    return sorted(
        name for name, value, _default, changeable in config if changeable == "no" and written.get(name, value) != value
    )
