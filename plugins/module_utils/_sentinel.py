# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a Sentinel watches, by its own file, and the commands to what it is to watch."""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t
from dataclasses import dataclass, field, replace

HIDDEN = "********"
SECRET = ("auth-pass", "sentinel-pass")

# The names of Sentinel's options, and what it takes for granted: it writes only what differs.
DEFAULTS = {
    "auth-pass": "",
    "auth-user": "",
    "down-after-milliseconds": "30000",
    "failover-timeout": "180000",
    "parallel-syncs": "1",
}


@dataclass(frozen=True)
class Master:
    """One who is watched. The address is that of the primary, whoever that is by now."""

    address: str
    port: str
    quorum: str
    options: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    masters: t.Mapping[str, Master] = field(default_factory=dict)
    # What Sentinels say to each other, and the hashes of what others may say to this one.
    password: str = ""
    hashes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Command:
    words: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The command without what nobody may read."""
        words = list(self.words)
        for place, word in enumerate(words[:-1]):
            if word in SECRET:
                words[place + 1] = HIDDEN
        return " ".join(HIDDEN if word.startswith(">") else word for word in words)


def parse(text: str) -> State:
    """What the file says that Sentinel rewrites with every change."""
    state = State()
    masters: dict[str, Master] = {}
    for line in text.splitlines():
        words = line.replace('"', "").split()
        if words[:2] == ["sentinel", "monitor"]:
            masters[words[2]] = Master(words[3], words[4], words[5], DEFAULTS)
        elif words[:2] == ["sentinel", "sentinel-pass"]:
            state = replace(state, password=words[2])
        elif words[:2] == ["user", "default"]:
            state = replace(state, hashes=frozenset(word[1:] for word in words if word.startswith("#")))
        elif words[:1] == ["sentinel"] and words[1] in DEFAULTS and words[2] in masters:
            master = masters[words[2]]
            masters[words[2]] = replace(master, options={**master.options, words[1]: words[3]})
    return replace(state, masters=masters)


def plan(seen: State, wanted: t.Mapping[str, Master], password: str) -> list[Command]:
    """The commands that are needed. Who is primary by now stays so; the wanted address is for a new Sentinel."""
    commands = [Command(("SENTINEL", "REMOVE", name)) for name in seen.masters if name not in wanted]
    for name, master in wanted.items():
        known = seen.masters.get(name)
        if known and _is_packaged(known, master):
            commands.append(Command(("SENTINEL", "REMOVE", name)))
            known = None
        if known is None:
            commands.append(Command(("SENTINEL", "MONITOR", name, master.address, master.port, master.quorum)))
            known = replace(master, options=DEFAULTS)
        commands += _changes(name, known, master)
    if seen.hashes != {_hash(password)}:
        commands.append(Command(("ACL", "SETUSER", "default", "reset", "on", f">{password}", "~*", "&*", "+@all")))
    if seen.password != password:
        commands.append(Command(("SENTINEL", "CONFIG", "SET", "sentinel-pass", password)))
    return [*commands, Command(("SENTINEL", "FLUSHCONFIG"))] if commands else []


def _changes(name: str, known: Master, wanted: Master) -> list[Command]:
    options = {"quorum": (known.quorum, wanted.quorum)}
    options.update({option: (known.options[option], value) for option, value in wanted.options.items()})
    differences = {option: value for option, (before, value) in options.items() if before != value}
    return [Command(("SENTINEL", "SET", name, option, value)) for option, value in differences.items()]


def _is_packaged(known: Master, wanted: Master) -> bool:
    """Whether it is the server on the same host that Debian's package has every Sentinel watch."""
    return _is_loopback(known.address) and not _is_loopback(wanted.address)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
