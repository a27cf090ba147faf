# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a host remembers of a service's rollouts: the lease and the journal."""

from __future__ import annotations

import fcntl
import json
import os
import time
import typing as t
from contextlib import contextmanager
from dataclasses import asdict

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._lease import Lease, write, write_from_outside


@contextmanager
def locked(layout: Layout) -> t.Iterator[None]:
    """Nobody else reads or writes the lease meanwhile. The kernel lets go of it when the process ends."""
    os.makedirs(layout.state, mode=0o755, exist_ok=True)
    fd = os.open(f"{layout.state}/lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def read_lease(layout: Layout) -> Lease | None:
    try:
        stored = json.loads(_files.read_text(f"{layout.state}/lease.json") or "{}")
    except ValueError:
        return None
    return Lease.read(stored) if isinstance(stored, dict) else None


def write_lease(layout: Layout, lease: Lease) -> None:
    _files.write_file(f"{layout.state}/lease.json", json.dumps(asdict(lease)).encode(), 0o644)


def drop_lease(layout: Layout) -> None:
    os.unlink(f"{layout.state}/lease.json")
    _files.sync_directory(layout.state)


def check_write(layout: Layout, module: t.Any) -> None:
    """Refuse to change the service for a rollout that does not hold the lease, and renew it for one that does.

    Raises ValueError. In check mode a rollout takes no lease, so it holds none; whether it would get one it was told
    when it asked for it.
    """
    rollout = module.params["rollout"]
    if not rollout:
        write_from_outside(read_lease(layout), time.time())
    elif not module.check_mode:
        with locked(layout):
            write_lease(layout, write(read_lease(layout), rollout, time.time()))


def record(layout: Layout, entry: t.Mapping[str, t.Any]) -> None:
    """Add a line to the journal. Only root reads it: what an instance said last may hold anything."""
    os.makedirs(layout.state, mode=0o755, exist_ok=True)
    with open(f"{layout.state}/journal.jsonl", "ab+", opener=_for_root) as journal:
        os.fchmod(journal.fileno(), 0o600)
        # A line that a crash cut short must not swallow this one.
        if journal.tell() and not _ends_in_newline(journal):
            journal.write(b"\n")
        journal.write(json.dumps(entry, sort_keys=True).encode() + b"\n")
        journal.flush()
        os.fsync(journal.fileno())


def _for_root(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _ends_in_newline(file: t.BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def history(layout: Layout, last: int) -> list[dict[str, t.Any]]:
    """The last entries of the journal, oldest first. A line that a crash cut short is left out."""
    entries = []
    for line in (_files.read_text(f"{layout.state}/journal.jsonl") or "").splitlines()[-last:]:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries
