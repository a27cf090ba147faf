"""Where on this host a secret can be found: in processes, units, the journal and files. Prints JSON.

Reads a JSON mapping of name to secret from its own source, so that the search itself leaves no trace: whoever runs it
appends a call of `search`.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

PLACES = ("/etc", "/opt", "/run", "/var", "/tmp", "/home", "/root", "/srv", "/usr/local", "/dev/shm")
LARGEST = 64 << 20


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
                            yield f"{stat.S_IMODE(status.st_mode):04o} {path}", file.read()
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
