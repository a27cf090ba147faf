# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Trees of config files: their name, and how two of them differ."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._release import inner_path


def tree_name(files: t.Mapping[str, str]) -> str:
    """A name that only this content has. Raises ValueError for a path that leads out of the tree."""
    for path in files:
        if inner_path(path) != path:
            raise ValueError(f"{path!a} is not in its shortest form; it wants {inner_path(path)!a}")
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()[:12]


def differences(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> list[dict[str, str]]:
    """What differs, file by file, as Ansible shows it."""
    return [
        {
            "before_header": path,
            "after_header": path,
            "before": before.get(path, ""),
            "after": after.get(path, ""),
        }
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]
