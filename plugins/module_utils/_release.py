# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a release is made of, what it is called, and which ones may go."""

from __future__ import annotations

import hashlib
import itertools
import json
import posixpath
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS
from ansible_collections.evenkeel.fleet.plugins.module_utils._placeholders import fill
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import NO_CHARACTERS

# The kernel refuses a single "NAME=value" of more than this many bytes (MAX_ARG_STRLEN).
LONGEST_VARIABLE = 131071

# systemd refuses to start a service whose credentials are larger, all together.
MOST_CREDENTIALS = 1 << 20


@dataclass(frozen=True)
class File:
    """A file that we write into a release. Its owner is root; a mode of 0640 gives it to the service's group."""

    content: bytes
    mode: int


@dataclass(frozen=True)
class Content:
    """Everything that decides how an instance behaves."""

    version: str
    artifact_sha256: str
    files: t.Mapping[str, File]
    artifact_path: str = ""
    # Where others reach the instances: the ports, and the path that answers while one lives.
    endpoint: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``<version>-<digest>``: equal inputs give an equal id on every host."""
        parts: dict[str, t.Any] = {
            "artifact": [self.artifact_sha256, self.artifact_path],
            "files": {path: [sha256(file.content), file.mode] for path, file in self.files.items()},
        }
        if self.endpoint:
            parts["endpoint"] = self.endpoint
        digest = sha256(json.dumps(parts, sort_keys=True).encode())
        return f"{self.version}-{digest[:12]}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Settings:
    """What a user sets for the instances of a release. ``slot_environment`` is what differs between the slots.

    A value of it may stand in ``environment`` and ``files`` as a placeholder; secrets are taken as they are.
    """

    environment: t.Mapping[str, t.Any] = field(default_factory=dict)
    slot_environment: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    secrets: t.Mapping[str, t.Any] = field(default_factory=dict)
    credentials: t.Mapping[str, t.Any] = field(default_factory=dict)
    files: t.Mapping[str, str] = field(default_factory=dict)

    def check_names(self) -> None:
        """Refuse what is given in more than one way. Raises ValueError."""
        ways = {"environment": self.environment, "secret": self.secrets, "credential": self.credentials}
        for (one, mine), (other, theirs) in itertools.combinations(ways.items(), 2):
            both = sorted(set(mine) & set(theirs))
            if both:
                raise ValueError(f"{', '.join(both)}: given as {one} and as {other}; give it once")


def release_files(unit_name: str, unit: str, settings: Settings) -> dict[str, File]:
    """The files of a release: its unit, and for each slot the environment, the credentials and the config files."""
    settings.check_names()
    made = {unit_name: File(unit.encode(), 0o644)}
    for slot in SLOTS:
        own = settings.slot_environment.get(slot, {})
        plain = {
            name: fill(value, own, f"environment variable {name}") if isinstance(value, str) else value
            for name, value in settings.environment.items()
        }
        variables = {**plain, **settings.secrets, **own}
        made[f"{slot}/environment"] = File(environment_file(variables).encode(), 0o600)
        for name, content in credential_files(settings.credentials).items():
            made[f"{slot}/credentials/{name}"] = File(content, 0o600)
        for path, text in settings.files.items():
            if not isinstance(text, str):
                raise ValueError(f"file {path!a}: its content is a {type(text).__name__}; it wants text")
            made[f"{slot}/config/{inner_path(path)}"] = File(fill(text, own, f"file {path!a}").encode(), 0o640)
    return made


def credential_files(credentials: t.Mapping[str, t.Any]) -> dict[str, bytes]:
    """The content of each credential's file: the value and nothing else. Raises ValueError naming the credential."""
    files = {}
    for name, value in credentials.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"credential {name!a}: a name wants letters, digits and _")
        files[name] = _text(value, f"credential {name}").encode()
    total = sum(map(len, files.values()))
    if total > MOST_CREDENTIALS:
        raise ValueError(f"credentials: they are {total} bytes together; systemd takes {MOST_CREDENTIALS}")
    return files


def _text(value: t.Any, where: str) -> str:
    """A single value as programs expect it: booleans are ``true`` and ``false``."""
    if isinstance(value, (dict, list, tuple)):
        raise ValueError(f"{where}: its value is a {type(value).__name__}; it wants text, a number or a boolean")
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def environment_file(variables: t.Mapping[str, t.Any]) -> str:
    """The text of a systemd EnvironmentFile that means exactly these values, newlines included.

    Raises ValueError naming the variable.
    """
    lines = []
    for name in sorted(variables):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"environment variable {name!a}: a name wants letters, digits and _")
        text = _text(variables[name], f"environment variable {name}")
        if re.search(rf"[\x00-\x08\x0b-\x1f\x7f{NO_CHARACTERS}]", text):
            raise ValueError(
                f"environment variable {name}: its value holds a control character other than newline and tab, "
                "or what Unicode calls no character"
            )
        if len(name) + 1 + len(text.encode()) > LONGEST_VARIABLE:
            raise ValueError(
                f"environment variable {name}: its value is longer than the kernel's {LONGEST_VARIABLE} bytes"
            )
        quoted = re.sub(r'(["\\$`])', r"\\\1", text)
        lines.append(f'{name}="{quoted}"\n')
    return "".join(lines)


def has_variable(environment: str, name: str, value: t.Any) -> bool:
    """Whether this text of an EnvironmentFile, as environment_file wrote it, gives the variable this value."""
    return f"\n{environment_file({name: value})}" in f"\n{environment}"


def inner_path(path: str) -> str:
    """The path itself if it stays inside the directory it is meant for. Raises ValueError otherwise."""
    normal = posixpath.normpath(path)
    if not path or "\x00" in path or posixpath.isabs(path) or normal in (".", "..") or normal.startswith("../"):
        raise ValueError(f"{path!a} leads out of its directory; it wants a relative path without ..")
    return normal


@dataclass(frozen=True)
class Member:
    """An entry of an archive; ``target`` is where a link leads."""

    name: str
    kind: str
    target: str = ""


def below(members: t.Sequence[Member], path: str) -> dict[int, Member]:
    """The members that lie below a directory of the archive, by position, with the names that they have from there.

    Raises ValueError where there is no such directory.
    """
    if not path:
        return dict(enumerate(members))
    top = inner_path(path)
    found = {
        position: replace(
            member,
            name=_seen_from(top, member.name),
            target=_seen_from(top, member.target) if member.kind == "hardlink" else member.target,
        )
        for position, member in enumerate(members)
        if not _seen_from(top, member.name).startswith("../")
    }
    if not any(member.name != "." for member in found.values()):
        tops = sorted({posixpath.normpath(member.name).split("/")[0] for member in members} - {"."})
        raise ValueError(
            f"the archive holds no directory {path}; at its top there are: {', '.join(tops[:10]) or 'none'}"
        )
    return found


def _seen_from(top: str, path: str) -> str:
    normal = posixpath.normpath(path)
    return normal[len(top) + 1 :] or "." if f"{normal}/".startswith(f"{top}/") else f"../{path}"


def check_archive(members: t.Sequence[Member]) -> None:
    """Refuse what an archive must not bring: devices, and names or links that lead out of its directory.

    Names are compared as text, but the kernel follows links. So nothing may lie behind a link of the archive, and a
    link may go up only at its beginning, where it stands in real directories: then both mean the same place.
    """
    for member in members:
        if member.kind not in ("file", "directory", "symlink", "hardlink"):
            raise ValueError(
                f"the archive holds {member.name!a}, a {member.kind}; only files, directories and links are unpacked"
            )
    inner = {member: "." if _is_top(member) else inner_path(member.name) for member in members}
    files = {inner[member] for member in members if member.kind == "file"}
    links = {inner[member] for member in members if member.kind == "symlink"}
    for member in members:
        behind = links.intersection(_parents(inner[member]))
        if behind:
            raise ValueError(f"the archive's {member.name!a} lies behind its link {behind.pop()!a}")
        if member.kind == "symlink":
            _check_link(member.name, posixpath.dirname(inner[member]), member.target)
        if member.kind == "hardlink" and inner_path(member.target) not in files - links:
            raise ValueError(f"the archive's hard link {member.name!a} leads to {member.target!a}, no file of its own")


def _is_top(member: Member) -> bool:
    return member.kind == "directory" and posixpath.normpath(member.name) == "."


def _parents(path: str) -> list[str]:
    return [path[:i] for i, character in enumerate(path) if character == "/"]


def _check_link(name: str, folder: str, target: str) -> None:
    if posixpath.isabs(target):
        raise ValueError(f"the archive's link {name!a} leads to the absolute path {target!a}")
    inner_path(posixpath.join(folder, target))
    steps = [step for step in target.split("/") if step not in ("", ".")]
    if ".." in itertools.dropwhile(lambda step: step == "..", steps):
        raise ValueError(f"the archive's link {name!a} leads to {target!a}; it wants no .. after a name")


@dataclass(frozen=True)
class Records:
    """What a host keeps in mind: the release that it settled on, the one before, and all that are staged, oldest first.

    The current one is the last that was found good, for nothing else ever becomes current.
    """

    current: str
    previous: str
    releases: t.Sequence[str]

    def settled_on(self, wanted: str, in_slots: t.Collection[str], keep: int) -> Records:
        """The records once the host has settled on a release. Those in a slot are in use, whatever they are."""
        previous = self.current if self.current not in ("", wanted) else self.previous
        gone = prunable(self.releases, {wanted, previous, *in_slots}, keep)
        return Records(wanted, previous, [release for release in self.releases if release not in gone])


def prunable(oldest_first: t.Sequence[str], protected: t.Collection[str], keep: int) -> list[str]:
    """Which releases may go: all but the protected ones and the ``keep`` newest of the rest."""
    spare = [release for release in oldest_first if release not in protected]
    return spare[: max(0, len(spare) - keep)]
