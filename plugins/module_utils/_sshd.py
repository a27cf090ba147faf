# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Settings of sshd as text, and whom those in force let in."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import typing as t

# Of these sshd takes one value a line, and all lines.
REPEATED = ("hostkey", "listenaddress", "port")


def text(settings: t.Mapping[str, t.Any]) -> str:
    """The file for sshd_config.d. Raises ValueError for what would not stay on its line."""
    lines = ["# Written by evenkeel.fleet. Of two values of a keyword sshd takes the first."]
    for name, value in sorted(settings.items()):
        if not re.fullmatch(r"[A-Za-z0-9]+", name) or name.lower() in ("match", "include"):
            raise ValueError(f"{name!a} is no keyword of sshd that may stand here")
        words = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else words
        if not re.fullmatch(r"[\x20-\x7e]+", said):
            raise ValueError(f"{name} is {value!a}; it wants one line of plain text")
        lines += [f"{name} {one}" for one in (said.split() if name.lower() in REPEATED else [said])]
    return "\n".join(lines) + "\n"


def winners(above: str, names: t.Iterable[str]) -> list[str]:
    """What stands above the place where our file is included and takes from keywords of these names their effect.

    Of two values of a keyword sshd takes the first; below a Match ours would be for some only.
    """
    ours = {"include", "match", *(name.lower() for name in names)}
    return [word for word in re.findall(r"(?m)^[ \t]*([A-Za-z0-9]+)", above) if word.lower() in ours]


def parse(said: str) -> dict[str, list[str]]:
    """The output of ``sshd -T``: all values by keyword."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        name, _space, value = line.partition(" ")
        found.setdefault(name.lower(), []).append(value)
    return found


def deafness(config: t.Mapping[str, list[str]], address: str, port: int) -> str:
    """Why nobody would answer any more where a client is connected; empty if somebody would."""
    places = [place.rpartition(":") for place in config.get("listenaddress", [])]
    every = "::" if ":" in address else "0.0.0.0"
    if any(place.strip("[]") in (address, every) and int(number) == port for place, _colon, number in places):
        return ""
    return (
        f"sshd would listen at {' and '.join(config.get('listenaddress', ['no place']))}, and this connection came in "
        f"at {address} port {port}; have it listen at both, connect to the new place, then take the old one away"
    )


def refusal(config: t.Mapping[str, list[str]], user: str, groups: t.Collection[str], keys: bool, client: str) -> str:
    """Why a user with these groups could not log in any more from the client's address; empty if he could.

    ``keys`` says whether he has authorized keys.
    """

    def words(keyword: str) -> list[str]:
        return [word for value in config.get(keyword, []) for word in value.split()]

    def matches(names: t.Iterable[str], keyword: str) -> bool:
        if keyword.endswith("groups"):
            return any(fnmatch.fnmatchcase(name, word) for name in names for word in words(keyword))
        return any(
            fnmatch.fnmatchcase(name, pattern) and (not at or is_from(client, where))
            for name in names
            for pattern, at, where in (word.partition("@") for word in words(keyword))
        )

    def is_on(keyword: str) -> bool:
        return config.get(keyword, ["no"]) == ["yes"]

    for keyword, names in (("AllowUsers", [user]), ("AllowGroups", groups)):
        if words(keyword.lower()) and not matches(names, keyword.lower()):
            return f"{keyword} is {' '.join(words(keyword.lower()))}, which {user} from {client} is not among"
    for keyword, names in (("DenyUsers", [user]), ("DenyGroups", groups)):
        if matches(names, keyword.lower()):
            return f"{keyword} is {' '.join(words(keyword.lower()))}, which {user} from {client} is among"
    if user == "root" and words("permitrootlogin") == ["no"]:
        return "PermitRootLogin is no"
    elsewhere = any(config.get(name, ["none"]) != ["none"] for name in ("authorizedkeyscommand", "trustedusercakeys"))
    if is_on("pubkeyauthentication") and (keys or elsewhere):
        return ""
    by_password = is_on("passwordauthentication") or is_on("kbdinteractiveauthentication")
    if by_password and not (user == "root" and words("permitrootlogin") != ["yes"]):
        return ""
    return f"{user} has no authorized key, and passwords are not accepted"


def is_from(client: str, pattern: str) -> bool:
    """Whether an address is meant by what stands behind the @ of a pattern: an address, with * and ?, or a network.

    Of names it is not known: sshd looks them up only where UseDNS is on, and what it will find nobody can say.
    """
    try:
        return ipaddress.ip_address(client.partition("%")[0]) in ipaddress.ip_network(pattern)
    except ValueError:
        return fnmatch.fnmatchcase(client, pattern)
