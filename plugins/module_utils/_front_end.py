# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Releases of front ends: files that a web server serves, of which no instance runs."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout, release_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import sha256

SCRATCH = ".kept-"


def check_page(directory: str, page: str) -> None:
    """The page that a front end begins with is there. Raises ValueError."""
    if not os.path.isfile(f"{directory}/{page}"):
        there = ", ".join(sorted(os.listdir(directory))[:10]) or "nothing"
        raise ValueError(f"it holds no page {page}; at its top there are: {there}")


def stamp(root: str, release_id: str) -> None:
    """Give the files a time that follows from the release, the same on every host and another one with each release.

    Web servers tell from time and size whether a browser has a file already, and archives are packed with times that
    are all alike.
    """
    when = int(sha256(release_id.encode())[:12], 16) % 10**9
    for folder, _dirs, names in os.walk(root):
        for name in names:
            os.utime(os.path.join(folder, name), (when, when), follow_symlinks=False)


def gather(layout: Layout, releases: t.Iterable[str]) -> None:
    """Have the link C(kept) lead to the files of all these releases together, of which the current one goes first.

    Pages that were loaded before a switch ask for files of the release before it, and one balancer may be asked for
    those of a release that another one has switched to already.
    """
    current = release_of(_files.read_link(layout.current))
    in_order = sorted(releases, key=lambda release_id: (release_id != current, release_id))
    name = SCRATCH + sha256("\n".join(in_order).encode())[:12]
    path = f"{layout.root}/{name}"
    before = _files.read_link(layout.kept)
    if before == name and os.path.isdir(path):
        return
    scratch = tempfile.mkdtemp(prefix=f"{SCRATCH}new-", dir=layout.root)
    for release_id in in_order:
        _add(f"{layout.release(release_id)}/artifact", scratch)
    _files.publish(scratch, path)
    _files.replace_link(layout.kept, name)
    # What a request has just been led to stays there for it.
    for old in os.listdir(layout.root):
        if old.startswith(SCRATCH) and old not in (name, before):
            shutil.rmtree(f"{layout.root}/{old}")


def _add(source: str, target: str) -> None:
    """Link the files of a tree into another one, where there is nothing of the name yet."""
    for folder, dirs, names in os.walk(source):
        to = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
        if os.path.lexists(to) and (os.path.islink(to) or not os.path.isdir(to)):
            dirs.clear()
            continue
        os.makedirs(to, mode=0o755, exist_ok=True)
        os.chmod(to, 0o755)
        for name in names + [inner for inner in dirs if os.path.islink(os.path.join(folder, inner))]:
            if not os.path.lexists(os.path.join(to, name)):
                os.link(os.path.join(folder, name), os.path.join(to, name), follow_symlinks=False)
