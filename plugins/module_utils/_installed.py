# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Which releases are on this host, and whether they are what was staged."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import MANIFEST, RELEASE_ID, Layout, release_of

CHUNK = 1 << 20

Tree = dict[str, list[str]]


def releases(layout: Layout) -> list[str]:
    """The ids of the releases on this host, oldest first."""
    published = times(layout)
    return sorted(published, key=lambda name: (published[name], name))


def times(layout: Layout) -> dict[str, float]:
    """When each release on this host was published, by id. One that another run replaces just then may be missing."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for name in filter(RELEASE_ID.fullmatch, os.listdir(layout.releases)):
            with contextlib.suppress(FileNotFoundError):
                found[name] = os.stat(f"{layout.releases}/{name}").st_mtime
    return found


def linked(layout: Layout) -> set[str]:
    """The ids of the releases that a link of the service leads to; these are in use."""
    links = [layout.current, layout.previous, layout.slot("blue"), layout.slot("green")]
    return {release_of(_files.read_link(link)) for link in links} - {""}


def manifest(layout: Layout, release_id: str) -> dict[str, t.Any]:
    """What the release says of itself; an empty mapping where it is missing or unreadable."""
    text = _files.read_text(f"{layout.release(release_id)}/{MANIFEST}")
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_whole(layout: Layout, release_id: str) -> bool:
    """Whether the release is there with the very files it was staged with."""
    said = manifest(layout, release_id).get("tree")
    return bool(said) and said == tree(layout.release(release_id))


def tree(root: str) -> Tree:
    """Path to [mode, digest or link target] of everything below root but the manifest itself."""
    found: Tree = {}
    for folder, dirs, names in os.walk(root):
        for name in sorted(names + [d for d in dirs if os.path.islink(os.path.join(folder, d))]):
            path = os.path.join(folder, name)
            inner = os.path.relpath(path, root)
            status = os.lstat(path)
            if inner == MANIFEST:
                continue
            if stat.S_ISLNK(status.st_mode):
                found[inner] = ["link", os.readlink(path)]
            elif not stat.S_ISREG(status.st_mode):
                found[inner] = ["special"]
            else:
                found[inner] = [f"{stat.S_IMODE(status.st_mode):04o}", digest_of(path)]
    return found


def has_instances(layout: Layout, release_id: str) -> bool:
    """Whether instances of the release run, or it is a front end's."""
    return os.path.exists(f"{layout.release(release_id)}/{layout.unit_template}")


def remove(layout: Layout, release_id: str) -> None:
    shutil.rmtree(layout.release(release_id))


def digest_of(path: str) -> str:
    seen = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            seen.update(chunk)
    return seen.hexdigest()
