"""Artifacts made of the demo service's: where they come from, and those that must be refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import fleet
from trial import Service

FIRST = fleet.CACHE / "artifacts/notes-1.0.0.tar.gz"
GOOD = fleet.CACHE / "artifacts/notes-1.1.0.tar.gz"
MACHINE = 18  # where an ELF header says for which machine it is
AARCH64 = 183


def settings_of(artifact: Path) -> dict[str, Any]:
    """An artifact as somebody would roll it out who trusts it."""
    return {"app_artifact": str(artifact), "app_artifact_sha256": sha256(artifact.read_bytes()).hexdigest()}


# ---- from elsewhere


@contextmanager
def served(service: Service, host: str, directory: Path) -> Iterator[dict[str, Any]]:
    """The settings for 1.1.0 while a host hands it out as projects do: in a directory of its archive's own, by HTTP,
    with signed checksums."""
    with tarfile.open(GOOD) as tar:
        members = [_file(f"notes-1.1.0/{member.name}", _content(tar, member)) for member in tar if member.isfile()]
    archive = _archive(directory / "notes-1.1.0.tar.gz", members)
    (directory / "SHA256SUMS").write_text(f"{sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n")
    public, secret = directory / "minisign.pub", directory / "minisign.key"
    fleet.run("minisign", "-G", "-W", "-p", str(public), "-s", str(secret))
    fleet.run("minisign", "-S", "-s", str(secret), "-m", str(directory / "SHA256SUMS"))
    secret.unlink()

    container = fleet.container(service.fleet, host)
    url = f"http://{fleet.addresses_of(service.inventory)[host]}:8080"
    serve = ("python3", "-m", "http.server", "--directory", "/srv/published", "8080")
    fleet.run("docker", "cp", str(directory), f"{container}:/srv/published")
    fleet.run("docker", "exec", container, "systemd-run", "--quiet", "--collect", "--unit=published", *serve)
    fleet.wait_for("the published checksums", _answers, f"{url}/SHA256SUMS")
    try:
        yield {
            "app_version": "1.1.0",
            "app_artifact": f"{url}/{archive.name}",
            "app_artifact_path": "notes-1.1.0",
            "app_artifact_sha256": "",
            "app_artifact_checksums": f"{url}/SHA256SUMS",
            "app_artifact_signature": f"{url}/SHA256SUMS.minisig",
            "app_artifact_minisign_key": public.read_text().splitlines()[1],
        }
    finally:
        fleet.run("docker", "exec", container, "systemctl", "stop", "published")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.read())
    except OSError:
        return False


def on_hosts(service: Service, artifact: Path) -> dict[str, Any]:
    """The settings for an artifact that lies on the hosts, where the controller has none."""
    for host in service.addresses:
        fleet.run("docker", "cp", str(artifact), f"{fleet.container(service.fleet, host)}:/srv/{artifact.name}")
    return {"app_artifact": f"/srv/{artifact.name}", "app_artifact_on_host": True}


# ---- not to be had


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
        return _content(tar, tar.getmember("notes"))


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    found = tar.extractfile(member)
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
