# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a release is made of, what it is called, and which ones may go."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS

MANIFEST = "release.json"

# The kernel refuses a single "NAME=value" of more than this many bytes (MAX_ARG_STRLEN).
LONGEST_VARIABLE = 131071


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

    @property
    def id(self) -> str:
        """``<version>-<digest>``: equal inputs give an equal id on every host."""
        parts = {
            "artifact": self.artifact_sha256,
            "files": {path: [sha256(file.content), file.mode] for path, file in self.files.items()},
        }
        digest = sha256(json.dumps(parts, sort_keys=True).encode())
        return f"{self.version}-{digest[:12]}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def release_files(
    unit_name: str,
    unit: str,
    environment: t.Mapping[str, t.Any],
    files: t.Mapping[str, str],
    slot_environment: t.Mapping[str, t.Mapping[str, t.Any]],
) -> dict[str, File]:
    """The files of a release: its unit, and for each slot the environment and the config files."""
    made = {unit_name: File(unit.encode(), 0o644)}
    for slot in SLOTS:
        variables = {**environment, **slot_environment.get(slot, {})}
        made[f"{slot}/environment"] = File(environment_file(variables).encode(), 0o600)
        for path, content in files.items():
            made[f"{slot}/config/{inner_path(path)}"] = File(content.encode(), 0o640)
    return made


def environment_file(variables: t.Mapping[str, t.Any]) -> str:
    """The text of a systemd EnvironmentFile that means exactly these values, newlines included.

    Booleans become ``true`` and ``false``, as programs expect them. Raises ValueError naming the variable.
    """
    lines = []
    for name in sorted(variables):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"environment variable {name!a}: a name wants letters, digits and _")
        value = variables[name]
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
            raise ValueError(
                f"environment variable {name}: its value holds a control character other than newline and tab"
            )
        if len(name) + 1 + len(text.encode()) > LONGEST_VARIABLE:
            raise ValueError(
                f"environment variable {name}: its value is longer than the kernel's {LONGEST_VARIABLE} bytes"
            )
        quoted = re.sub(r'(["\\$`])', r"\\\1", text)
        lines.append(f'{name}="{quoted}"\n')
    return "".join(lines)


def inner_path(path: str) -> str:
    """The path itself if it stays inside the directory it is meant for. Raises ValueError otherwise."""
    normal = posixpath.normpath(path)
    if not path or "\x00" in path or posixpath.isabs(path) or normal in (".", "..") or normal.startswith("../"):
        raise ValueError(f"{path!a} leads out of its directory; it wants a relative path without ..")
    return normal


def check_archive_member(name: str, kind: str, link_target: str = "") -> None:
    """Refuse what an archive must not bring: devices, and names or links that lead out of its directory."""
    if kind not in ("file", "directory", "symlink", "hardlink"):
        raise ValueError(f"the archive holds {name!a}, a {kind}; only files, directories and links are unpacked")
    inner = "." if posixpath.normpath(name) == "." and kind == "directory" else inner_path(name)
    if kind == "symlink":
        if posixpath.isabs(link_target):
            raise ValueError(f"the archive's link {name!a} leads to the absolute path {link_target!a}")
        inner_path(posixpath.join(posixpath.dirname(inner), link_target))
    if kind == "hardlink":
        inner_path(link_target)


def prunable(oldest_first: t.Sequence[str], protected: t.Collection[str], keep: int) -> list[str]:
    """Which releases may go: all but the protected ones and the ``keep`` newest of the rest."""
    spare = [release for release in oldest_first if release not in protected]
    return spare[: max(0, len(spare) - keep)]
