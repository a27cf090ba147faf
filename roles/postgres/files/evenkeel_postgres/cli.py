# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands. Each ends with 0 if it could do everything, with 1 if not, and with 75 if it goes on already."""

from __future__ import annotations

import argparse
import fcntl
import sys
import time
import typing as t
from pathlib import Path

from evenkeel_postgres import indexes, metrics, report
from evenkeel_postgres.server import Server, ServerError

BUSY = 75
LOCKS = Path("/run/lock")


def vacuum(server: Server, _options: argparse.Namespace) -> list[str]:
    """Clean up every table and learn anew what is in it."""
    failures = []
    for database in server.databases():
        try:
            server.run("vacuumdb", "--analyze", "--skip-locked", "--no-password", "--quiet", f"--dbname={database}")
            print(f"{database}: vacuumed and analyzed")
        except ServerError as exc:
            failures.append(f"{database}: {exc}")
    return failures


def reindex(server: Server, options: argparse.Namespace) -> list[str]:
    """Build bloated and invalid indexes anew, one at a time, while everybody goes on reading and writing."""
    failures: list[str] = []
    end = time.monotonic() + options.minutes * 60
    for database in server.databases():
        drop_remains(server, database, failures)
        for index in indexes.worth_building(known(server, database), options.least << 20, options.most / 100):
            if time.monotonic() > end:
                print(f"{database}: the rest waits for the next time, {options.minutes} minutes are over")
                return failures
            build(server, database, index, failures)
    return failures


def known(server: Server, database: str) -> list[indexes.Index]:
    return [indexes.Index(**row) for row in server.ask(indexes.INDEXES, database)]


def drop_remains(server: Server, database: str, failures: list[str]) -> None:
    for index in indexes.remains(known(server, database)):
        try:
            server.tell(f"DROP INDEX CONCURRENTLY {index.quoted}", database)
            print(f"{database}: dropped {index.quoted}, the remains of an attempt")
        except ServerError as exc:
            failures.append(f"{database}: {index.quoted}: {exc}")


def build(server: Server, database: str, index: indexes.Index, failures: list[str]) -> None:
    try:
        server.tell(f"REINDEX INDEX CONCURRENTLY {index.quoted}", database)
        air = f"{indexes.bloat(index):.0%} of {index.bytes >> 20} MiB was air" if index.valid else "it was invalid"
        print(f"{database}: built {index.quoted} anew; {air}")
    except ServerError as exc:
        failures.append(f"{database}: {index.quoted}: {exc}")
        drop_remains(server, database, failures)


def say(server: Server, _options: argparse.Namespace) -> list[str]:
    """Say how large everything is, what goes on, and which statements take the time."""
    print(report.text({name: server.ask(query) for name, query in report.QUERIES.items()}))
    return []


def measure(server: Server, options: argparse.Namespace) -> list[str]:
    """Write down for monitoring how the server is."""
    [row] = server.ask(metrics.SERVER)
    samples = metrics.server_samples(row, server.ask(metrics.SLOTS), server.ask(metrics.DATABASES))
    metrics.write(options.metrics, "evenkeel_postgres", metrics.render(samples))
    return []


COMMANDS: dict[str, t.Callable[[Server, argparse.Namespace], list[str]]] = {
    "vacuum": vacuum,
    "reindex": reindex,
    "report": say,
    "metrics": measure,
}
# What writes has nothing to do on a replica.
WRITING = ("vacuum", "reindex")


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="evenkeel-postgres", description="Look after a Postgres server.")
    options.add_argument("command", choices=list(COMMANDS), help="what to do")
    options.add_argument("--cluster", required=True, help="Debian's name of the server, such as 17/main")
    options.add_argument("--metrics", required=True, help="directory of the textfile collector")
    options.add_argument("--least", type=int, default=indexes.LEAST_BYTES >> 20, help="MiB of an index to care about")
    options.add_argument("--most", type=int, default=round(indexes.MOST_BLOAT * 100), help="percent of it to be air")
    options.add_argument("--minutes", type=int, default=120, help="after which no further index is begun")
    return options


def main() -> int:
    options = parser().parse_args()
    server = Server(options.cluster)
    with (LOCKS / f"evenkeel-postgres-{options.command}").open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{options.command} goes on already", file=sys.stderr)
            return BUSY
        try:
            idle = options.command in WRITING and server.is_replica()
            failures = [] if idle else COMMANDS[options.command](server, options)
        except ServerError as exc:
            failures = [str(exc)]
        for failure in failures:
            print(failure, file=sys.stderr)
        name = f"evenkeel_postgres_{options.command}"
        samples = metrics.job_samples(options.command, time.time(), len(failures), metrics.read(options.metrics, name))
        metrics.write(options.metrics, name, metrics.render(samples))
        return 1 if failures else 0
