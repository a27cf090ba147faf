# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis: take its snapshot over the wire, read it through, and load it into a throwaway server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

from evenkeel_backup import commands
from evenkeel_backup.outcome import BackupError, DamagedError

# Valkey has the same under its own name.
USER = "valkey" if Path("/etc/valkey").exists() and not Path("/etc/redis").exists() else "redis"
NAME = "dump.rdb"
CONFIG = Path(f"/etc/{USER}/{USER}.conf")
DATA = Path(f"/var/lib/{USER}")
PEERS = "replication.conf"  # in DATA, of a server with peers: its configuration of who copies whom
UNIT = f"{USER}-server"
SECONDS_TO_LOAD = 600
MARK_BYTES = 40
MARK = re.compile(rb"[0-9a-f]{40}")


def login() -> tuple[list[str], dict[str, str]]:
    """How to reach the host's server: its own file says where it listens and what it wants to hear."""
    text = CONFIG.read_text(encoding="utf-8")
    plain = re.findall(r'^port "?([1-9]\d*)"?$', text, re.MULTILINE)
    tls = re.findall(r'^tls-port "?([1-9]\d*)"?$', text, re.MULTILINE)
    password = re.findall(r'^requirepass (?:"((?:[^"\\]|\\.)*)"|(\S+))$', text, re.MULTILINE)
    # On the way to the host itself there is nobody whose certificate would have to be examined.
    where = ["--tls", "--insecure", "-p", tls[-1]] if tls and not plain else ["-p", plain[-1] if plain else "6379"]
    words = [f"{USER}-cli", "--no-auth-warning", *where]
    if not password:
        return words, {}
    if re.search(r"^user evenkeel ", text, re.MULTILINE):
        words += ["--user", "evenkeel"]
    quoted, plain = password[-1]
    return words, {"REDISCLI_AUTH": re.sub(r"\\(.)", r"\1", quoted) if quoted else plain}


def role() -> str:
    """What the host's server says it is: `master`, `slave`, or why it cannot say; nothing if it does not answer."""
    words, environment = login()
    said = commands.run([*words, "ROLE"], environment=environment, accept=(0, 1)).split()
    return said[0] if said else ""


def followers() -> int:
    """How many servers copy the host's; none if it does not answer."""
    words, environment = login()
    said = commands.run([*words, "INFO", "replication"], environment=environment, accept=(0, 1))
    found = re.search(r"^connected_slaves:(\d+)", said, re.MULTILINE)
    return int(found[1]) if found else 0


def dump(made: Path, most_bytes: int) -> dict[str, t.Any]:
    words, environment = login()
    taken = time.time()
    with (made / NAME).open("wb") as file:
        commands.run(commands.limited([*words, "--rdb", "-"], most_bytes), USER, stdout=file, environment=environment)
    keys, expiring = read(made)
    return {"taken": taken, "keys": keys, "expiring": expiring}


def cut_off_mark(path: Path) -> None:
    """A server that sends its snapshot from memory ends it with a mark, which redis-cli writes down with the rest.

    Nobody minds but a server that takes the snapshot for the beginning of its log of writes: it would go on reading
    there. A snapshot itself ends with a byte that no mark has, and eight more.
    """
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MARK_BYTES))
        if MARK.fullmatch(file.read()):
            file.truncate(size - MARK_BYTES)


def begin_log(directory: Path) -> list[Path]:
    """Have the snapshot in a data directory begin a log of writes too, and nothing else is read by a server that logs.

    Gives what was made. Servers replace both files and never write into them, so they may be one.
    """
    log = directory / "appendonlydir"
    log.mkdir()
    cut_off_mark(directory / NAME)
    os.link(directory / NAME, base := log / "appendonly.aof.1.base.rdb")
    (names := log / "appendonly.aof.manifest").write_text(f"file {base.name} seq 1 type b\n", encoding="ascii")
    return [log, base, names]


def read(made: Path) -> tuple[int, int]:
    """Check the sums inside, and count: keys, and those of them that end by themselves."""
    path = made / NAME
    shutil.copy(path, scratch := made / "check.rdb")  # the checking program needs a name that its user can open
    try:
        with scratch.open("rb") as file:
            shutil.chown(scratch, USER, USER)
            try:
                said = commands.run([f"{USER}-check-rdb", "/dev/stdin"], USER, stdin=file)
            except BackupError as exc:
                raise DamagedError(str(exc)) from exc
    finally:
        scratch.unlink()
    return count_in(said, "keys read"), count_in(said, "expires")


def count_in(said: str, what: str) -> int:
    found = re.search(rf"\[info\] (\d+) {what}", said)
    return int(found[1]) if found else 0


@contextlib.contextmanager
def throwaway(place: Path) -> t.Iterator[list[str]]:
    """A server of its own with the snapshot that lies in `place`; gives the words to ask it.

    It logs its writes, whether the real one does or not: of the two it is the one that refuses more.
    """
    for made in begin_log(place):
        shutil.chown(made, USER, USER)
    socket = place / "socket"
    # It needs as much memory as the real one; should that be too much, it is the one to go.
    command = [
        "choom",
        "--adjust=1000",
        "--",
        f"{USER}-server",
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--dir",
        str(place),
        "--dbfilename",
        NAME,
    ]
    command += ["--save", "", "--appendonly", "yes"]
    ask = [f"{USER}-cli", "-s", str(socket)]
    with subprocess.Popen(
        command, cwd="/", env=commands.ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **commands.identity(USER),
    ) as server:  # fmt: skip
        try:
            deadline = time.monotonic() + SECONDS_TO_LOAD
            while commands.run([*ask, "PING"], USER, accept=(0, 1)).strip() != "PONG":
                if server.poll() is not None or time.monotonic() > deadline:
                    server.kill()
                    said = server.communicate()[0].decode(errors="replace")[-commands.LONGEST_MESSAGE :]
                    raise BackupError(f"a throwaway Redis did not load the snapshot: {said}")
                time.sleep(0.1)
            yield ask
        finally:
            server.kill()


def keys_of(ask: t.Sequence[str]) -> int:
    said = commands.run([*ask, "INFO", "keyspace"], USER)
    return sum(int(number) for number in re.findall(r"^db\d+:keys=(\d+)", said, re.MULTILINE))


def check_keys(keys: int, facts: t.Mapping[str, t.Any]) -> None:
    """Keys that were to end have perhaps ended; no other may be missing."""
    if not facts["keys"] - facts["expiring"] <= keys <= facts["keys"]:
        raise DamagedError(f"{keys} keys were loaded of {facts['keys']}, {facts['expiring']} of them with an end")
