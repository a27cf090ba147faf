# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Puts a release together beside the others and gives it its name when it is whole."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import platform
import shutil
import stat
import tarfile
import tempfile
import typing as t
import zlib

from ansible.module_utils.urls import open_url
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._elf import HEADER, built_for, runs_on
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import RELEASE_ID, Layout, release_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import (
    MANIFEST,
    Content,
    Member,
    check_archive,
    inner_path,
)

CHUNK = 1 << 20

SCRATCH = ".staging-"

# Bytes of disk that staging leaves alone.
SPARE = 64 << 20

# No program begins like this, so what does is an archive of a kind that is not unpacked, or a damaged one.
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}

Tree = dict[str, list[str]]


def installed(layout: Layout) -> list[str]:
    """The ids of the releases on this host, oldest first."""
    try:
        names = [name for name in os.listdir(layout.releases) if RELEASE_ID.fullmatch(name)]
    except FileNotFoundError:
        return []
    return sorted(names, key=lambda name: (os.stat(f"{layout.releases}/{name}").st_mtime_ns, name))


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
                with open(path, "rb") as file:
                    found[inner] = [f"{stat.S_IMODE(status.st_mode):04o}", _digest(file)]
    return found


def stage(layout: Layout, content: Content, artifact: str, program: str, group: int) -> None:
    """Fetch or copy the artifact, verify it, unpack it, write our files beside it, then publish by rename."""
    _files.make_directory(layout.releases)
    scratch = tempfile.mkdtemp(prefix=SCRATCH, dir=layout.releases)
    try:
        fetched = f"{scratch}/.artifact"
        _fetch(artifact, fetched, content.artifact_sha256)
        try:
            _check_space(fetched)
            _unpack(fetched, f"{scratch}/artifact", program)
            _check_program(f"{scratch}/artifact", program)
        except (ValueError, tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as exc:
            raise ValueError(f"artifact {artifact} cannot be unpacked: {exc}") from exc
        os.unlink(fetched)
        for path, file in content.files.items():
            _files.write_new(f"{scratch}/{path}", file.content, file.mode, group if file.mode == 0o640 else 0)
        for slot in ("blue", "green"):
            _files.make_directory(f"{scratch}/{slot}/config")
            os.symlink("../artifact", f"{scratch}/{slot}/artifact")
        # The service's user must get in, whatever root's umask is and whatever the archive left to it.
        for folder, _dirs, _names in os.walk(scratch):
            os.chmod(folder, 0o755)
        said = {
            "id": content.id,
            "version": content.version,
            "artifact_sha256": content.artifact_sha256,
            "tree": tree(scratch),
        }
        # Digests of files with secrets in them are nobody's business.
        _files.write_new(f"{scratch}/{MANIFEST}", json.dumps(said, indent=1, sort_keys=True).encode(), 0o600)
        _files.publish(scratch, layout.release(content.id))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove(layout: Layout, release_id: str) -> None:
    shutil.rmtree(layout.release(release_id))


def sweep(layout: Layout, before: float) -> None:
    """Remove what runs left behind that were killed while they staged something before this time."""
    for name in os.listdir(layout.releases):
        path = f"{layout.releases}/{name}"
        if name.startswith(SCRATCH) and os.stat(path).st_mtime < before:
            shutil.rmtree(path, ignore_errors=True)


def is_url(artifact: str) -> bool:
    return artifact.startswith(("http://", "https://"))


def _fetch(artifact: str, to: str, wanted: str) -> None:
    """Write the artifact to a file. Raises ValueError if its digest is not the wanted one."""
    seen = hashlib.sha256()
    with _open(artifact) as source, open(to, "xb") as target:
        while chunk := source.read(CHUNK):
            seen.update(chunk)
            target.write(chunk)
    if seen.hexdigest() != wanted:
        raise ValueError(
            f"artifact {artifact}: its sha256 is {seen.hexdigest()}, wanted {wanted}; "
            "it is damaged or not the one the checksum was published for"
        )


def _open(artifact: str) -> t.Any:
    return open_url(artifact, timeout=30) if is_url(artifact) else open(artifact, "rb")


def _unpack(archive: str, to: str, program: str) -> None:
    """Unpack a tar archive; anything else is taken as the program itself."""
    os.mkdir(to, 0o755)
    if not tarfile.is_tarfile(archive):
        with open(archive, "rb") as file:
            head = file.read(8)
        for magic, kind in PACKED.items():
            if head.startswith(magic):
                raise ValueError(f"it is packed with {kind}, but no whole tar archive in gzip, bzip2 or xz")
        path = f"{to}/{inner_path(program)}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copyfile(archive, path)
        os.chmod(path, 0o755)
        return
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        check_archive([Member(member.name, _kind(member), member.linkname) for member in members])
        for member in members:
            # Root owns a release and nobody writes in it; whoever packed it has no say in that.
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o111 else 0o644
        tar.extractall(to, members=members)


def _check_space(fetched: str) -> None:
    """Unpacked, an archive takes some times its size. Raises ValueError before the disk is full."""
    wanted = 3 * os.path.getsize(fetched) + SPARE
    free = shutil.disk_usage(os.path.dirname(fetched)).free
    if free < wanted:
        raise ValueError(f"{free >> 20} MiB of disk are free, wanted {wanted >> 20} MiB")


def _check_program(directory: str, program: str) -> None:
    """The program is there, may be run, and is for this machine. Raises ValueError."""
    path = f"{directory}/{inner_path(program)}"
    if not os.path.isfile(path):
        there = sorted(
            os.path.relpath(os.path.join(f, n), directory) for f, _d, names in os.walk(directory) for n in names
        )
        raise ValueError(f"it holds no program {program}; it holds: {', '.join(there[:10]) or 'nothing'}")
    if not os.access(path, os.X_OK):
        raise ValueError(f"its program {program} is not executable")
    with open(path, "rb") as file:
        machine = built_for(file.read(HEADER))
    if not runs_on(platform.machine(), machine):
        raise ValueError(f"its program {program} is for {machine}, this host is {platform.machine()}")


def _kind(member: tarfile.TarInfo) -> str:
    if member.isreg():
        return "file"
    if member.isdir():
        return "directory"
    if member.issym():
        return "symlink"
    return "hardlink" if member.islnk() else "device or other special file"


def _digest(file: t.IO[bytes]) -> str:
    seen = hashlib.sha256()
    while chunk := file.read(CHUNK):
        seen.update(chunk)
    return seen.hexdigest()
