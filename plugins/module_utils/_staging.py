# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Puts a release together beside the others and gives it its name when it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import json
import lzma
import os
import platform
import shutil
import tarfile
import tempfile
import typing as t
import zlib
from dataclasses import dataclass, field

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _front_end, _installed, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._download import download
from ansible_collections.evenkeel.fleet.plugins.module_utils._elf import HEADER, built_for, runs_on
from ansible_collections.evenkeel.fleet.plugins.module_utils._http import without_query
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import MANIFEST, Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import (
    Content,
    Member,
    below,
    check_archive,
    inner_path,
)

SCRATCH = ".staging-"
PART = ".part-"
UNPACKED = "the unpacked artifact"

# No program begins like this, so what does is an archive of a kind that is not unpacked, or a damaged one.
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}


@dataclass(frozen=True)
class Source:
    """Where an artifact comes from: a URL, with headers and a proxy to ask with, or a path on this host."""

    artifact: str
    headers: t.Mapping[str, str] = field(default_factory=dict)
    proxy: str = ""

    @property
    def is_url(self) -> bool:
        return self.artifact.startswith(("http://", "https://"))

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return without_query(self.artifact) if self.is_url else self.artifact


def stage(layout: Layout, content: Content, source: Source, program: str, group: int) -> None:
    """Fetch or copy the artifact, verify it, unpack it, write our files beside it, then publish by rename."""
    _files.make_directory(layout.releases)
    scratch = tempfile.mkdtemp(prefix=SCRATCH, dir=layout.releases)
    try:
        fetched = f"{scratch}/.artifact"
        _fetch(layout, source, fetched, content.artifact_sha256)
        try:
            _unpack(fetched, f"{scratch}/artifact", program, content.artifact_path)
            if content.files:
                _check_program(f"{scratch}/artifact", program)
            else:
                _front_end.check_page(f"{scratch}/artifact", program)
        except (ValueError, tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as exc:
            raise ValueError(f"artifact {source.name} cannot be unpacked: {exc}") from exc
        os.unlink(fetched)
        exposure = _add_instances(layout, content, scratch, group) if content.files else None
        # The service's user must get in, whatever root's umask is and whatever the archive left to it.
        for folder, _dirs, _names in os.walk(scratch):
            os.chmod(folder, 0o755)
        if not content.files:
            _front_end.stamp(f"{scratch}/artifact", content.id)
        said = {
            **content.endpoint,
            "id": content.id,
            "version": content.version,
            "artifact_sha256": content.artifact_sha256,
            "exposure": exposure,
            "tree": _installed.tree(scratch),
        }
        # Digests of files with secrets in them are nobody's business.
        _files.write_new(f"{scratch}/{MANIFEST}", json.dumps(said, indent=1, sort_keys=True).encode(), 0o600)
        _files.publish(scratch, layout.release(content.id))
    finally:
        # Published, it is gone; after a failure its own cause is what counts, and the next run sweeps.
        shutil.rmtree(scratch, ignore_errors=True)


def _add_instances(layout: Layout, content: Content, to: str, group: int) -> float | None:
    """Add what instances need besides the artifact; how exposed they are."""
    for path, file in content.files.items():
        _files.write_new(f"{to}/{path}", file.content, file.mode, group if file.mode == 0o640 else 0)
    for slot in ("blue", "green"):
        _files.make_directory(f"{to}/{slot}/config")
        os.symlink("../artifact", f"{to}/{slot}/artifact")
    unit = f"{to}/{layout.unit_template}"
    complaints = _systemd.unit_complaints(unit)
    if complaints:
        raise ValueError(f"unit: systemd on this host would ignore a part of it: {'; '.join(complaints)}")
    return _systemd.unit_exposure(unit)


def sweep(layout: Layout, before: float) -> None:
    """Remove what runs left behind that were killed while they staged something before this time."""
    for name in os.listdir(layout.releases):
        path = f"{layout.releases}/{name}"
        # Another run may be finishing it, or sweeping the same.
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_mtime >= before:
                continue
            if name.startswith(SCRATCH):
                shutil.rmtree(path, ignore_errors=True)
            elif name.startswith(PART):
                os.unlink(path)


def _fetch(layout: Layout, source: Source, to: str, wanted: str) -> None:
    """Write the artifact to a file. Raises ValueError if its digest is not the wanted one."""
    if source.is_url:
        seen = _download(layout, source, to, wanted)
    else:
        if not os.path.isfile(source.artifact):
            raise FileNotFoundError(f"artifact {source.artifact}: wanted a file on this host, there is none")
        _files.check_space(layout.releases, os.path.getsize(source.artifact), f"artifact {source.artifact}")
        shutil.copyfile(source.artifact, to)
        seen = _installed.digest_of(to)
    if seen != wanted:
        raise ValueError(
            f"artifact {source.name}: its sha256 is {seen}, wanted {wanted}; "
            "it is damaged or not the one the checksum was published for"
        )


def _download(layout: Layout, source: Source, to: str, wanted: str) -> str:
    """Download the artifact and return its digest. What came of it stays on the disk if this run is interrupted."""
    path = f"{layout.releases}/{PART}{wanted}"
    with open(path, "ab") as part:
        if not _is_ours(part, path):
            # Somebody else is at it; without us.
            path = to
        began = os.path.exists(path) and os.path.getsize(path) > 0
        download(source.artifact, path, source.headers, source.proxy)
        seen = _installed.digest_of(path)
        if seen != wanted and began:
            # What an earlier run left may be the beginning of something else.
            os.truncate(path, 0)
            download(source.artifact, path, source.headers, source.proxy)
            seen = _installed.digest_of(path)
        os.replace(path, to)
    return seen


def _is_ours(part: t.IO[bytes], path: str) -> bool:
    """Lock the file, for as long as it is open. It may have got its final name before we were the ones to lock it."""
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(part.fileno()), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        return False


def _unpack(archive: str, to: str, program: str, path_inside: str) -> None:
    """Unpack a tar archive, or a directory of it; anything else is taken as the program itself."""
    os.mkdir(to, 0o755)
    if not tarfile.is_tarfile(archive):
        if path_inside:
            raise ValueError(f"it is no tar archive, so there is no {path_inside} in it")
        with open(archive, "rb") as file:
            head = file.read(8)
        for magic, kind in PACKED.items():
            if head.startswith(magic):
                raise ValueError(f"it is packed with {kind}, but no whole tar archive in gzip, bzip2 or xz")
        _files.check_space(to, os.path.getsize(archive), UNPACKED)
        path = f"{to}/{inner_path(program)}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copyfile(archive, path)
        os.chmod(path, 0o755)
        return
    with tarfile.open(archive) as tar:
        every = tar.getmembers()
        inner = below([Member(member.name, _kind(member), member.linkname) for member in every], path_inside)
        check_archive(list(inner.values()))
        members = [every[position] for position in inner]
        _files.check_space(to, sum(member.size for member in members), UNPACKED)
        for member, known in zip(members, inner.values(), strict=True):
            member.name, member.linkname = known.name, known.target
            # Root owns a release and nobody writes in it; whoever packed it has no say in that.
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o111 else 0o644
        tar.extractall(to, members=members)


def _check_program(directory: str, program: str) -> None:
    """The program is there, may be run, and is for this machine. Raises ValueError."""
    path = f"{directory}/{inner_path(program)}"
    if not os.path.isfile(path):
        there = sorted(
            os.path.relpath(os.path.join(f, n), directory) for f, _d, names in os.walk(directory) for n in names
        )
        raise ValueError(f"it holds no program {program}; it holds: {', '.join(there[:10]) or 'nothing'}")
    if not os.access(path, os.X_OK):
        raise ValueError(f"its program {program} is not executable; pack it with the mode 0755")
    with open(path, "rb") as file:
        machine = built_for(file.read(HEADER))
    if not runs_on(platform.machine(), machine):
        raise ValueError(
            f"its program {program} is for {machine}, wanted {platform.machine()}, which this host is; "
            "give the host an artifact that was built for it"
        )


def _kind(member: tarfile.TarInfo) -> str:
    if member.isreg():
        return "file"
    if member.isdir():
        return "directory"
    if member.issym():
        return "symlink"
    return "hardlink" if member.islnk() else "device or other special file"
