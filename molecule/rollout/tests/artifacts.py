"""Artifacts that must be refused, each made of the demo service's."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import fleet

GOOD = fleet.CACHE / "artifacts/notes-1.1.0.tar.gz"
MACHINE = 18  # where an ELF header says for which machine it is
AARCH64 = 183


def settings_of(artifact: Path) -> dict[str, Any]:
    """An artifact as somebody would roll it out who trusts it."""
    return {"app_artifact": str(artifact), "app_artifact_sha256": sha256(artifact.read_bytes()).hexdigest()}


def truncated(directory: Path) -> Path:
    made = directory / "truncated.tar.gz"
    made.write_bytes(GOOD.read_bytes()[: GOOD.stat().st_size // 2])
    return made


def foreign(directory: Path) -> Path:
    """For another machine."""
    program = bytearray(_program())
    program[MACHINE : MACHINE + 2] = AARCH64.to_bytes(2, "little")
    return _archive(directory / "foreign.tar.gz", [_file("notes", bytes(program))])


def empty(directory: Path) -> Path:
    """Without the program."""
    return _archive(directory / "empty.tar.gz", [_file("share/about.txt", b"nothing")])


def evil(*extra: tuple[str, str, str]) -> Callable[[Path], Path]:
    """The good program, and beside it members given as name, kind and target."""
    kinds = {
        "file": tarfile.REGTYPE,
        "symlink": tarfile.SYMTYPE,
        "hardlink": tarfile.LNKTYPE,
        "device": tarfile.CHRTYPE,
    }

    def make(directory: Path) -> Path:
        members = [_file("notes", _program())]
        for name, kind, target in extra:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kinds[kind], target
            members.append((member, b""))
        return _archive(directory / "evil.tar.gz", members)

    return make


def _program() -> bytes:
    with tarfile.open(GOOD) as tar:
        found = tar.extractfile("notes")
        assert found
        return found.read()


def _file(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o755
    return member, content


def _archive(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    path.write_bytes(gzip.compress(packed.getvalue(), compresslevel=1))
    os.chmod(path, 0o644)
    return path
