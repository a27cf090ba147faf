"""Write notes and read them back through the balancer of this host, for as long as a file exists.

Once it is busy, a file of the same name and .busy says so.

A strict client: connections are kept alive, nothing is asked twice, and every answer that is not the wanted one counts.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
import uuid
from pathlib import Path

WORKERS = 8
SECONDS_AT_MOST = 100


class Worker(threading.Thread):
    def __init__(self, flag: Path) -> None:
        super().__init__()
        self.flag = flag
        self.sent = 0
        self.failures: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("localhost", timeout=10)
        deadline = time.monotonic() + SECONDS_AT_MOST
        while self.flag.exists() and time.monotonic() < deadline:
            note = uuid.uuid4().hex
            body = json.dumps({"id": note, "text": "asked"})
            self.ask(connection, 201, "POST", "/notes", body)
            self.ask(connection, 200, "GET", f"/notes/{note}")

    def ask(
        self, connection: http.client.HTTPConnection, wanted: int, method: str, path: str, body: str | None = None
    ) -> None:
        headers = {"Content-Type": "application/json"} if body else {}
        self.sent += 1
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != wanted:
                self.failures.append(f"{method}: {answer.status}")
        except (OSError, http.client.HTTPException) as exc:
            self.failures.append(f"{method}: {exc!r}")
            connection.close()


flag = Path(sys.argv[1])
busy = Path(f"{flag}.busy")
workers = [Worker(flag) for _number in range(WORKERS)]
for worker in workers:
    worker.start()
while sum(worker.sent for worker in workers) < 100 and any(worker.is_alive() for worker in workers):
    time.sleep(0.05)
busy.touch()
for worker in workers:
    worker.join()
busy.unlink()
failures = [failure for worker in workers for failure in worker.failures]
print(json.dumps({"sent": sum(w.sent for w in workers), "failed": len(failures), "first": failures[:5]}))
