# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The users of a Redis server and what they may do, as ACL rules."""

from __future__ import annotations

import hashlib
import re
import typing as t

EVERYTHING = "~* &* +@all"

# An application may do nothing to the server but ask how it is.
RIGHTS = {
    "application": "+@all -@admin -@dangerous +info +role",
    "backup": "+ping +sync +psync +replconf",
    "monitoring": (
        "+ping +info +role +dbsize +slowlog|get +slowlog|len +latency|latest +latency|histogram +client|setname"
    ),
    "replica": "+ping +psync +replconf",
    # SLAVEOF is how Redis checks the right to REPLICAOF.
    "sentinel": (
        "&* +ping +info +role +publish +subscribe +multi +exec +slaveof +config|rewrite "
        "+client|setname +client|kill +script|kill"
    ),
}


def acl(
    users: t.Sequence[t.Mapping[str, t.Any]], admin: str, password: str, nameless: bool, only_first: bool = False
) -> dict[str, str]:
    """The rules of each user by name, those of the admin and of whoever names no user among them.

    Without users there are none, and the server's one password lets everybody in. Of passwords the rules hold hashes;
    a user with several is let in with each, or with the first alone.
    """
    # A server that starts takes the rules of its file, and no password from anywhere else.
    everybody = f"reset on {_hash(password)} {EVERYTHING}"
    if not users:
        if not nameless:
            raise ValueError("redis_nameless is false and redis_users empty, so nobody would get in; it wants users")
        return {"default": everybody}
    names = [admin, *(str(user["name"]) for user in users)]
    for name in names:
        if name == "default" or names.count(name) > 1:
            raise ValueError(f"redis_users: {name} is taken; each user wants a name of its own")
    # Reset and set in one command, a user changes as a whole.
    rules = {admin: everybody}
    for user in users:
        passwords = user["passwords"]
        if not passwords or not all(passwords):
            raise ValueError(f"redis_users: {user['name']} has no password, or an empty one; anybody would get in")
        hashes = " ".join(_hash(word) for word in (passwords[:1] if only_first else passwords))
        rules[str(user["name"])] = f"reset on {hashes} {_rights(user)}"
    return {**rules, "default": everybody if nameless else "off"}


def _rights(user: t.Mapping[str, t.Any]) -> str:
    access = user.get("access", "application")
    if access not in RIGHTS:
        raise ValueError(f"redis_users: access of {user['name']} is {access!r}; it wants one of {', '.join(RIGHTS)}")
    if access != "application":
        return RIGHTS[access]
    patterns = user.get("keys", ["*"])
    for pattern in patterns:
        if not re.fullmatch(r"[\x21-\x7e]+", pattern) or re.search(r"[\"']", pattern):
            raise ValueError(f"redis_users: {pattern!a} is no pattern of keys")
    # Redis refuses any pattern beside the one for everything.
    if "*" in patterns:
        patterns = ["*"]
    keys = [f"~{pattern}" for pattern in patterns] + [f"&{pattern}" for pattern in patterns]
    return " ".join([*keys, RIGHTS[access]])


def _hash(password: t.Any) -> str:
    return "#" + hashlib.sha256(str(password).encode()).hexdigest()
