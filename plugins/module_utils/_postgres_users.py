# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Who the users of a Postgres server are, what each may do, and from where."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

Mapping = t.Mapping[str, t.Any]

APPLICATION = "application"
READ_ONLY = "read_only"
BACKUP = "backup"
MONITORING = "monitoring"
REPLICA = "replica"
ACCESS = (APPLICATION, READ_ONLY, BACKUP, MONITORING, REPLICA)

LOOPBACK = ("127.0.0.1/32", "::1/128")


@dataclass(frozen=True)
class Database:
    name: str
    owner: str
    hosts: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True)
class User:
    """One who logs in with a password, or, without one, a role that only owns."""

    name: str
    access: str = APPLICATION
    password: str = ""
    # Empty for those who see all of the server.
    databases: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    # The owner whose rights it uses, and to whom belongs what it makes.
    acts_as: str = ""


def databases_of(given: t.Iterable[Mapping]) -> list[Database]:
    found = [
        Database(
            str(one["name"]),
            str(one.get("owner") or one["name"]),
            tuple(one.get("hosts") or ()),
            tuple(one.get("extensions") or ()),
        )
        for one in given
    ]
    _distinct([database.name for database in found], "postgres_databases")
    return found


def users_of(given: t.Iterable[Mapping], databases: t.Sequence[Database]) -> list[User]:
    """The users, and the owners that are listed nowhere else. Raises ValueError for what does not go together."""
    users = [_user(one, databases) for one in given]
    names = [user.name for user in users]
    _distinct(names, "postgres_users")
    owners = dict.fromkeys(database.owner for database in databases)
    for name in [*names, *owners]:
        if name == "postgres" or name.startswith("pg_"):
            raise ValueError(f"postgres_users: {name} is the server's own; it wants another name")
    return [User(owner) for owner in owners if owner not in names] + users


def _user(given: Mapping, databases: t.Sequence[Database]) -> User:
    name, access = str(given["name"]), str(given.get("access") or APPLICATION)
    if access not in ACCESS:
        raise ValueError(f"postgres_users: access of {name} is {access!r}; it wants one of {', '.join(ACCESS)}")
    known = {database.name: database for database in databases}
    owned = tuple(database.name for database in databases if database.owner == name)
    wanted = tuple(given.get("databases") or owned)
    for unknown in [one for one in wanted if one not in known]:
        raise ValueError(f"postgres_users: {name} wants database {unknown}, which is none of postgres_databases")
    if owned and access != APPLICATION:
        raise ValueError(f"postgres_users: {name} owns {owned[0]} and is there for {access}; it wants another owner")
    if access in (APPLICATION, READ_ONLY) and not wanted:
        raise ValueError(f"postgres_users: {name} reaches no database; it wants databases, or to own one")
    if access == REPLICA and wanted:
        raise ValueError(f"postgres_users: {name} copies the whole server; it wants no databases")
    owners = {known[one].owner for one in wanted} if access == APPLICATION else set()
    if len(owners) > 1:
        raise ValueError(
            f"postgres_users: {name} would act for {' and '.join(sorted(owners))}; it wants databases of one owner"
        )
    return User(
        name,
        access,
        str(given.get("password") or ""),
        wanted,
        None if given.get("hosts") is None else tuple(given["hosts"]),
        "".join(owners - {name}),
    )


def _distinct(names: t.Sequence[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{where}: {name} is there twice; each wants a name of its own")


def access_rules(
    databases: t.Sequence[Database],
    users: t.Sequence[User],
    addresses: t.Callable[[t.Iterable[str]], t.Iterable[str]],
    tls: bool,
) -> list[str]:
    """Lines of pg_hba.conf: every user from its hosts to its databases, encrypted unless there is no TLS at all."""
    remote = "hostssl" if tls else "host"
    rules = []
    for user in users:
        for database, hosts in _reached(user, databases):
            rules += [_rule("host", database, user, address) for address in LOOPBACK]
            rules += [_rule(remote, database, user, network(address)) for address in addresses(hosts)]
    return rules


def _reached(user: User, databases: t.Sequence[Database]) -> list[tuple[str, tuple[str, ...]]]:
    if not user.password:
        return []
    if user.access == REPLICA:
        # The second is for a former primary, which asks where it and the new one have parted.
        return [("replication", user.hosts or ()), ('"postgres"', user.hosts or ())]
    if not user.databases:
        return [("all", user.hosts or ())]
    hosts = {database.name: database.hosts for database in databases}
    return [(f'"{name}"', hosts[name] if user.hosts is None else user.hosts) for name in user.databases]


def _rule(kind: str, database: str, user: User, address: str) -> str:
    return f'{kind} {database} "{user.name}" {address} scram-sha-256'


def network(address: str) -> str:
    """An address as a network of one; a host name stays what it is."""
    try:
        return str(ipaddress.ip_network(address))
    except ValueError:
        return address
