"""Four clients that never stop write while a database is restored and a restore is undone: what do they notice?"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time

import psycopg2

CLIENTS = 4
MOST_FAILURES = 1  # the query that was cut off
LONGEST_SWITCH, LONGEST_UNDO = 0.1, 1.0
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'notes'"


class Client(threading.Thread):
    """A query after the other, on one connection for as long as it lasts."""

    def __init__(self, password: str) -> None:
        super().__init__(daemon=True)
        self.password = password
        self.good: list[float] = []
        self.bad: list[float] = []
        self.done = threading.Event()

    def run(self) -> None:
        connection = None
        while not self.done.is_set():
            try:
                if connection is None:
                    connection = psycopg2.connect(
                        host="127.0.0.1", dbname="notes", user="notes", password=self.password, connect_timeout=5
                    )
                    connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM (SELECT 1 FROM items LIMIT 10) few")
                self.good.append(time.monotonic())
                time.sleep(0.002)
            except psycopg2.Error:
                self.bad.append(time.monotonic())
                connection = None

    def gap(self, begin: float, end: float) -> float:
        """The longest time without a good answer."""
        times = [at for at in self.good if begin <= at <= end]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=end - begin)


def noticed(clients: list[Client], *command: str) -> dict[str, float]:
    """What the clients saw of a command, and what it says of itself.

    `outside` is what somebody sees who waits for the command. On a host that is busy most of it is the start of Python.
    """
    for client in clients:
        client.bad.clear()
    began = time.monotonic()
    output = subprocess.run(command, check=True, capture_output=True, cwd="/").stdout
    ended = time.monotonic()
    said = json.loads(output) if command[0] == "evenkeel-backup" else {}
    itself = [*said.get("restored", []), *said.get("undone", [])]
    time.sleep(0.5)
    cut = [at for client in clients for at in client.bad]
    return {
        "failures": max(len(client.bad) for client in clients),
        "gap": max(client.gap(min(cut) - 0.5, max(cut) + 0.5) for client in clients) if cut else 0,
        "outside": ended - began,
        **{name: one[name] for one in itself for name in ("switched", "seconds") if name in one},
    }


def main() -> None:
    confirm = "--confirm=db1/database/notes"
    subprocess.run(["evenkeel-backup", "job", "backup", "--wait"], check=True)
    clients = [Client(sys.stdin.readline().strip())]
    clients += [Client(clients[0].password) for _number in range(CLIENTS - 1)]
    for client in clients:
        client.start()
    while not all(client.good for client in clients):
        time.sleep(0.05)
    # To log in anew takes its time too, more of it on a host that is busy: that is not the switch's.
    ends = [noticed(clients, "runuser", "-u", "postgres", "--", "psql", "-Xqc", END_ALL) for _number in range(3)]
    usual = max(seen["gap"] for seen in ends)
    found = {
        action: noticed(clients, "evenkeel-backup", action, "database/notes", confirm) for action in ("restore", "undo")
    }
    for client in clients:
        client.done.set()
        client.join()
    subprocess.run(["evenkeel-backup", "discard", "database/notes", confirm], check=True, stdout=subprocess.DEVNULL)
    problems = [
        f"{action}: {figures}"
        for action, figures in found.items()
        if figures["failures"] > MOST_FAILURES or figures["gap"] > LONGEST_SWITCH + usual
    ]
    if not 0 < found["restore"]["switched"] <= LONGEST_SWITCH:
        problems.append("the restore took too long to switch")
    if not 0 < found["undo"]["switched"] <= found["undo"]["seconds"] <= LONGEST_UNDO:
        problems.append("the undo took too long")
    answers = sum(len(client.good) for client in clients)
    print(json.dumps({**found, "usual": usual, "answers": answers, "problems": problems}))
    sys.exit(bool(problems))


main()
