# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Postgres: dump a database with exact counts, read a dump through, load one; and a throwaway server to do it in."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from evenkeel_backup import commands, sql, wal
from evenkeel_backup.outcome import BackupError, DamagedError

USER = "postgres"
SUPERUSER_DATABASE = "postgres"
GLOBALS = "globals.sql"
GLOBALS_END = "PostgreSQL database cluster dump complete"
MARK = "-- evenkeel --"
VERSIONS = Path("/usr/lib/postgresql")

SECONDS_TO_START = 24 * 3600  # it may have much WAL to replay; the time limit of the job ends it before

# Whatever is lost of it is made again.
HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
GUEST = {
    "archive_mode": "off",
    "autovacuum": "off",
    "jit": "off",
    "listen_addresses": "",
    "shared_preload_libraries": "",
    "shared_buffers": "64MB",
    "ssl": "off",
}
THROWAWAY = {
    **HASTY,
    "archive_mode": "off",
    "autovacuum": "off",
    "jit": "off",
    "listen_addresses": "",
    "max_connections": "20",
    "max_wal_senders": "0",
    "wal_level": "minimal",
}


class Server:
    """A server that is reached through its socket, by the user it runs as."""

    def __init__(self, programs: Path, socket: str, port: int) -> None:
        self.programs = programs
        self.environment = {"PGHOST": socket, "PGPORT": str(port), "PGAPPNAME": "evenkeel-backup"}

    def program(self, name: str, *words: str | Path) -> list[str]:
        return [str(self.programs / name), *map(str, words)]

    def run(self, name: str, *words: str | Path, **how: t.Any) -> str:
        return commands.run(self.program(name, *words), user=USER, environment=self.environment, **how)

    def ask(self, script: str, database: str = SUPERUSER_DATABASE) -> list[str]:
        said = self.run("psql", "-XAtq", "--set=ON_ERROR_STOP=1", f"--dbname={database}", text=script)
        return [line for line in said.splitlines() if line]

    def start(self, command: t.Sequence[str], **how: t.Any) -> subprocess.Popen[bytes]:
        environment = {**commands.ENVIRONMENT, **self.environment}
        return subprocess.Popen(command, cwd="/", env=environment, **commands.identity(USER), **how)

    def has(self, database: str) -> bool:
        return bool(self.ask(f"SELECT 1 FROM pg_database WHERE datname = {sql.literal(database)};"))

    def counts(self, database: str) -> dict[str, int]:
        return counted(self.ask(sql.NO_TIMEOUTS + sql.COUNTS, database))

    def readable_tables(self, database: str) -> set[str]:
        return set(counted(self.ask(sql.FIRST_ROWS, database)))


def counted(lines: t.Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        found.update(json.loads(line))
    return found


def running(port: int) -> Server:
    """The host's own server; Debian's wrapper finds it, and then its own programs are used."""
    asked = ["psql", "-XAtqw", f"--port={port}", f"--dbname={SUPERUSER_DATABASE}", "--command=SHOW server_version_num"]
    major = int(commands.run(asked, user=USER)) // 10000
    return Server(VERSIONS / str(major) / "bin", "/var/run/postgresql", port)


@dataclass(frozen=True)
class Declared:
    """A cluster as Debian's tools know it, whether it runs or not."""

    unit: str
    data: Path


def declared(port: int) -> Declared:
    for line in commands.run(["pg_lsclusters", "--no-header"]).splitlines():
        version, name, its_port, _status, _owner, data = line.split()[:6]
        if its_port == str(port):
            return Declared(f"postgresql@{version}-{name}", Path(data))
    raise BackupError(f"pg_lsclusters knows no server at port {port}; correct backup_postgres_port")


@contextlib.contextmanager
def snapshot(server: Server, database: str) -> t.Iterator[tuple[str, dict[str, t.Any], t.Callable[[], dict[str, int]]]]:
    """A snapshot others can use, what the server knows of the database, and a way to get the exact counts it holds.

    The counting goes on in the server while the caller dumps.
    """
    with tempfile.TemporaryFile() as errors:
        words = server.program("psql", "-XAtq", "--set=ON_ERROR_STOP=1", f"--dbname={database}")
        session = server.start(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        if session.stdin is None or session.stdout is None:
            raise BackupError("psql was started without pipes")
        answers = session.stdout

        def line() -> str:
            text = answers.readline().decode()
            if not text:
                errors.seek(0)
                raise BackupError(f"psql ended early: {errors.read().decode(errors='replace').strip()}")
            return text.rstrip("\n")

        def counts() -> dict[str, int]:
            return counted(iter(line, MARK))

        try:
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n"
            script = f"{sql.NO_TIMEOUTS}{begin}{sql.FACTS}{sql.COUNTS}\\echo {MARK}\n"
            session.stdin.write(script.encode())
            session.stdin.flush()
            name = line()
            yield name, json.loads(line()), counts
        finally:
            session.kill()
            session.communicate()


def dump_name(database: str) -> str:
    return f"{database}.dump"


def dump(server: Server, database: str, made: Path, most_bytes: int, passwords: bool) -> dict[str, t.Any]:
    """Dump a database and the server's users; return the facts that a restore has to reproduce."""
    with snapshot(server, database) as (name, facts, counts):
        words = ["--format=custom", f"--snapshot={name}", f"--dbname={database}"]
        write_and_read(server, server.program("pg_dump", *words), made / dump_name(database), most_bytes)
        facts["rows"] = counts()
    with (made / GLOBALS).open("wb") as file:
        words = ["--globals-only"] if passwords else ["--globals-only", "--no-role-passwords"]
        users = commands.limited(server.program("pg_dumpall", *words), most_bytes)
        commands.run(users, user=USER, stdout=file, environment=server.environment)
    return facts


def write_and_read(server: Server, command: t.Sequence[str], path: Path, most_bytes: int) -> None:
    """Write a dump, and read every byte of it while it grows: a listing alone would accept one that is cut short.

    It is a file, not a pipe, because at its end pg_dump goes back to note where each table begins; without that no
    restore could load several at once.
    """
    writing = commands.limited(command, most_bytes)
    reading = server.program("pg_restore", "--file=/dev/null")
    with path.open("wb") as file, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as found:
        writer = server.start(writing, stdout=file, stderr=said)
        reader = server.start(reading, stdin=subprocess.PIPE, stderr=found)
        try:
            if reader.stdin is None:
                raise BackupError("pg_restore was started without a pipe")
            commands.follow(path, lambda: writer.poll() is not None, reader.stdin)
            writer.wait()  # who reads may have given up before
            reader.communicate()
            said.seek(0)
            found.seek(0)
            if writer.returncode:
                raise BackupError(commands.failure(writing, writer.returncode, said.read()))
            if reader.returncode:
                raise DamagedError(commands.failure(reading, reader.returncode, found.read()))
        finally:
            for program in (writer, reader):
                program.kill()
                program.communicate()


def read(database: str, made: Path) -> None:
    """Read what a dump of which every byte was read may still lack: its contents as they were written at its end."""
    with (made / dump_name(database)).open("rb") as file:
        commands.run(["pg_restore", "--list"], user=USER, stdin=file)
    text = (made / GLOBALS).read_text(encoding="utf-8", errors="replace")
    if GLOBALS_END not in text:
        raise DamagedError(f"{GLOBALS} does not say at its end that it is complete")


def load(server: Server, staged: Path, database: str, into: str, facts: dict[str, t.Any], jobs: int) -> None:
    """Make a database under another name and fill it; the first error ends it."""
    server.ask(sql.create(into, facts))
    path = staged / dump_name(database)
    server.run("pg_restore", "--exit-on-error", f"--jobs={jobs}", f"--dbname={into}", path)


def load_globals(server: Server, staged: Path) -> None:
    """Make the users that are missing. What goes wrong with one is seen when the database wants him."""
    there = server.ask("SELECT rolname FROM pg_roles;")
    script = sql.missing_roles((staged / GLOBALS).read_text(encoding="utf-8"), there)
    if script:
        server.run("psql", "-XAtq", f"--dbname={SUPERUSER_DATABASE}", text=script)


def properties(server: Server, staged: Path, database: str) -> str:
    """Privileges on the database and settings of it. pg_restore leaves them out when the name is another."""
    path = staged / dump_name(database)
    listing = server.run("pg_restore", "--create", "--list", path).splitlines()
    # Lines such as "3456; 0 0 ACL - DATABASE notes postgres" and "3455; 0 0 DATABASE PROPERTIES - notes notes".
    wanted = [line for line in listing if " ACL - DATABASE " in line or " DATABASE PROPERTIES - " in line]
    if not wanted:
        return ""
    chosen = staged / "properties.list"
    chosen.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    chosen.chmod(0o644)
    return sql.properties(server.run("pg_restore", "--create", f"--use-list={chosen}", "--file=-", path))


@contextlib.contextmanager
def scratch(place: Path) -> t.Iterator[Path]:
    """A place for a server of its own, and the directory there for its data; gone afterwards, with the server."""
    remove_throwaway(place)
    place.mkdir(parents=True, mode=0o700)
    shutil.chown(place, USER, USER)
    try:
        yield place / "data"
    finally:
        remove_throwaway(place)


@contextlib.contextmanager
def guest(data: Path, place: Path, settings: t.Mapping[str, str]) -> t.Iterator[Server]:
    """A server on a restored backup that has replayed its WAL as far as it is to.

    Nobody but its own user can reach it, and it archives nothing: what it is told here wins over what is in the data.
    """
    server = Server(programs_for(data), str(place), 5432)
    (place / "pg_hba.conf").write_text("local all all peer\n", encoding="ascii")
    (place / "empty.conf").write_text("", encoding="ascii")
    for path in place.glob("*.conf"):
        path.chmod(0o644)
    files = {"config_file": "empty.conf", "hba_file": "pg_hba.conf", "ident_file": "empty.conf"}
    options = {
        **{name: str(place / file) for name, file in files.items()},
        **GUEST,
        **wal.limits(wal.control(server.run("pg_controldata", data))),
        "unix_socket_directories": str(place),
        **settings,
    }
    words = " ".join(shlex.quote(f"--{name}={value}") for name, value in options.items())
    start = [f"--pgdata={data}", f"--log={place}/log", f"--timeout={SECONDS_TO_START}", "--wait", f"--options={words}"]
    try:
        server.run("pg_ctl", *start, "start", stdout=subprocess.DEVNULL)
        while server.ask(sql.RECOVERING) == ["t"]:
            time.sleep(0.5)
    except BackupError as exc:
        log = place / "log"
        said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else str(exc)
        stop(data, "immediate")
        raise DamagedError(f"the WAL cannot be replayed: {said[-commands.LONGEST_MESSAGE :]}") from exc
    try:
        yield server
    finally:
        stop(data, "fast")


@contextlib.contextmanager
def throwaway(place: Path, preload: str) -> t.Iterator[Server]:
    """A server of its own that nobody else can reach and nothing is archived from; gone afterwards."""
    versions = sorted((path for path in VERSIONS.glob("*") if path.name.isdigit()), key=lambda path: int(path.name))
    if not versions:
        raise BackupError(f"a test restore needs a Postgres below {VERSIONS}, and there is none")
    server = Server(versions[-1] / "bin", str(place), 5432)
    settings = {**THROWAWAY, "shared_preload_libraries": preload, "unix_socket_directories": str(place)}
    with scratch(place) as data:
        server.run("initdb", f"--pgdata={data}", "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {sql.literal(value)}\n" for name, value in settings.items())
        server.run("pg_ctl", f"--pgdata={data}", f"--log={place}/log", "--wait", "start", stdout=subprocess.DEVNULL)
        yield server


def programs_for(data: Path) -> Path:
    return VERSIONS / (data / "PG_VERSION").read_text(encoding="ascii").strip() / "bin"


def stop(data: Path, mode: str) -> None:
    """Stop the server on a data directory, if one is running there."""
    if (data / "postmaster.pid").exists():
        program = programs_for(data) / "pg_ctl"
        commands.run([program, f"--pgdata={data}", f"--mode={mode}", "stop"], user=USER, accept=(0, 1))


def remove_throwaway(place: Path) -> None:
    """Also what a killed run left: its server may still be running."""
    stop(place / "data", "immediate")
    commands.remove(place)


def processors() -> int:
    return min(4, os.cpu_count() or 1)
