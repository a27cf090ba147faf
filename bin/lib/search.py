"""Where on this host a secret can be found: in processes, units, the journal and files, packed ones too. Prints JSON.

Reads a JSON mapping of name to secret from its own source, so that the search itself leaves no trace: whoever runs it
appends a call of `search`.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

PLACES = ("/etc", "/opt", "/run", "/var", "/tmp", "/home", "/root", "/srv", "/usr/local", "/dev/shm")
LARGEST = 64 << 20
# What begins so is packed, and how what is in it is told. Whoever packed it here has the program.
PACKED = {
    b"\x1f\x8b": ["gzip", "-dc"],
    b"\xfd7zXZ": ["xz", "-dc"],
    b"BZh": ["bzip2", "-dc"],
    b"\x28\xb5\x2f\xfd": ["zstd", "-dc"],
    b"PGDMP": ["pg_restore", "--file=-"],
}


def unpacked(data: bytes) -> bytes:
    """What is in packed data, as far as it can be had; nothing if it is not packed."""
    for mark, command in PACKED.items():
        if data.startswith(mark) and shutil.which(command[0]):
            return subprocess.run(command, input=data, capture_output=True, check=False).stdout
    return b""


def processes() -> Iterator[tuple[str, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        for kind in ("cmdline", "environ"):
            try:
                data = (folder / kind).read_bytes()
                unit = (folder / "cgroup").read_text().strip().rpartition("/")[2]
            except OSError:
                continue
            yield f"{kind} of a process in {unit}", data


def commands() -> Iterator[tuple[str, bytes]]:
    for command in (
        ["systemctl", "show", "--all", "--", "*"],
        ["systemctl", "show-environment"],
        ["systemctl", "cat", "--", "*"],
        ["journalctl", "--no-pager", "--all", "--output=export"],
    ):
        done = subprocess.run(command, capture_output=True, check=False)
        yield " ".join(command[:2]), done.stdout


def files() -> Iterator[tuple[str, bytes]]:
    for place in PLACES:
        for folder, _folders, names in os.walk(place):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    status = os.lstat(path)
                    if stat.S_ISREG(status.st_mode) and status.st_size < LARGEST:
                        with open(path, "rb") as file:
                            data = file.read()
                        yield f"{stat.S_IMODE(status.st_mode):04o} {path}", data + unpacked(data)
                except OSError:
                    continue


def search(secrets: dict[str, str]) -> None:
    found: dict[str, list[str]] = {name: [] for name in secrets}
    for places in (processes(), commands(), files()):
        for place, data in places:
            for name, secret in secrets.items():
                if secret.encode() in data:
                    found[name].append(place)
    print(json.dumps({name: sorted(set(places)) for name, places in found.items()}))
