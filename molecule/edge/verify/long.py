"""Requests that take 50 seconds: long.py ask ADDRESS FILE | long.py judge EVENTS

The first asks every few seconds for one until it is told to stop, waits for what is under way then, and says how each
went; the file is there once it has asked. The second reads what was said, and compares it with the times at which
something happened, by the event's name.
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

PAUSE = 5
stopped = threading.Event()


def stop(_signal: int, _frame: FrameType | None) -> None:
    stopped.set()


def send(address: str, mark: str, seen: dict[str, Any]) -> None:
    connection = http.client.HTTPConnection(address, timeout=90)
    try:
        connection.request("GET", "/sleep?ms=50000", headers={"Host": "notes.test"})
        seen["sent"] = time.time()
        Path(mark).touch()
        answer = connection.getresponse()
        answer.read()
        seen.update(status=answer.status, version=answer.headers["X-Version"], answered=time.time())
    except (OSError, http.client.HTTPException) as exc:
        seen["error"] = str(exc)


def ask(address: str, mark: str) -> None:
    Path(mark).unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, stop)
    requests: list[tuple[threading.Thread, dict[str, Any]]] = []
    while not stopped.is_set():
        seen: dict[str, Any] = {}
        requests.append((threading.Thread(target=send, args=(address, mark, seen)), seen))
        requests[-1][0].start()
        stopped.wait(PAUSE)
    for thread, _seen in requests:
        thread.join()
    print(json.dumps([seen for _thread, seen in requests]))


def judge(events: str) -> None:
    requests = json.load(sys.stdin)
    lost = [seen for seen in requests if seen.get("status") != 200]
    assert not lost, lost
    said = [f"{len(requests)} answered"]
    for name, times in json.loads(events).items():
        begun, ended = float(times[0]), float(times[-1])
        # Of an update, only what the instance that is replaced has begun tells anything.
        versions = {"1.0.0"} if name == "switch" else {"1.0.0", "1.1.0"}
        meanwhile = [
            seen
            for seen in requests
            if seen["sent"] < begun and seen["answered"] > ended and seen["version"] in versions
        ]
        assert meanwhile, f"none was under way during the {name}, from {begun} to {ended}: {requests}"
        said.append(f"{len(meanwhile)} under way during the {name}")
    print("; ".join(said))


if __name__ == "__main__":
    {"ask": ask, "judge": judge}[sys.argv[1]](*sys.argv[2:])
