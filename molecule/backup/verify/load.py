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
MOST_FAILURES = 2  # the query that was cut off, and the connection that came while the names changed
LONGEST_SWITCH, LONGEST_UNDO = 0.1, 1.0


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
        times = [begin, *(at for at in self.good if begin <= at <= end), end]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


def command(*words: str) -> tuple[float, float]:
    began = time.monotonic()
    subprocess.run(["evenkeel-backup", *words], check=True, stdout=subprocess.DEVNULL)
    return began, time.monotonic()


def main() -> None:
    confirm = "--confirm=db1/database/notes"
    subprocess.run(["evenkeel-backup", "job", "backup", "--wait"], check=True)
    clients = [Client(sys.stdin.readline().strip())]
    clients += [Client(clients[0].password) for _number in range(CLIENTS - 1)]
    for client in clients:
        client.start()
    while not all(client.good for client in clients):
        time.sleep(0.05)
    found: dict[str, dict[str, float]] = {}
    for action, words in {"restore": ["restore", "database/notes"], "undo": ["undo", "database/notes"]}.items():
        for client in clients:
            client.bad.clear()
        began, ended = command(*words, confirm)
        time.sleep(0.5)
        around = [at for client in clients for at in client.bad]
        found[action] = {
            "failures": max(len(client.bad) for client in clients),
            "gap": max(client.gap(min(around) - 0.05, max(around) + 0.05) for client in clients) if around else 0,
            "seconds": ended - began,
        }
    for client in clients:
        client.done.set()
        client.join()
    command("discard", "database/notes", confirm)
    problems = [
        f"{action}: {figures}"
        for action, figures in found.items()
        if figures["failures"] > MOST_FAILURES or figures["gap"] > LONGEST_SWITCH + 0.1
    ]
    print(json.dumps({**found, "answers": sum(len(client.good) for client in clients), "problems": problems}))
    sys.exit(bool(problems))


main()
