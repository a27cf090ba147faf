"""Load an address until it was away and is back: failover.py CLIENT ADDRESS MOST_SECONDS REPORT.

The report's file is there, empty, once the load is on. Says for how long nobody answered, and what that cost the strict
client, which holds connections and websockets open and never tries again. Fails where it was too long, and where
anything failed before or after.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ENOUGH = 20
PATIENCE = 60
# How long the client waits for an answer, in seconds.
TIMEOUT = 2
WEBSOCKETS = 8


def answers(address: str) -> bool:
    request = urllib.request.Request(f"http://{address}/version", headers={"Host": "notes.test"})
    try:
        with urllib.request.urlopen(request, timeout=0.5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def outage(address: str) -> float:
    """Wait until nobody answered and somebody does again; for how many seconds nobody did."""
    began = last = time.monotonic()
    away, failed, good = 0.0, 0, 0
    while not (failed and good >= ENOUGH):
        if time.monotonic() - began > PATIENCE:
            sys.exit(f"{failed} requests failed; the last {good} were answered; nothing was handed over")
        if answers(address):
            now = time.monotonic()
            away, last, good = max(away, now - last), now, good + 1
        else:
            failed, good = failed + 1, 0
        time.sleep(0.05)
    return away


def judge(report: dict[str, Any], away: float) -> str:
    """What the outage cost; whatever failed in other seconds than those of the outage is too much."""
    seconds = {second["second"]: second for second in report["timeline"]}
    bad = [number for number, second in seconds.items() if second["failed"]]
    assert bad, "the client has noticed nothing"
    lasted = bad[-1] - bad[0]
    assert lasted <= away + 2 * TIMEOUT, f"requests failed for {lasted} s, though it was served after {away:.1f} s"
    assert any(second["ok"] for number, second in seconds.items() if number > bad[-1]), "nothing was answered after it"
    sockets = report["websockets"]
    assert sockets["opened"] >= 2 * WEBSOCKETS, f"websockets did not come back: {sockets}"
    return f"{report['failed']} of {report['requests']} requests and {sockets['failed']} websockets failed"


def runs_for(log: Path, seconds: int) -> None:
    """Wait until the client has run for so many seconds, in each of which it says a line."""
    while len(log.read_text().splitlines()) < seconds:
        time.sleep(0.1)


def main() -> None:
    client, address, most, path = sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4])
    log = path.with_suffix(".log")
    words = ["--url", f"http://{address}", "--header", "Host: notes.test", "--timeout", f"{TIMEOUT}s", "--rate", "200"]
    words += ["--websockets", str(WEBSOCKETS), "--duration", f"{2 * PATIENCE}s", "--report", str(path), "--progress"]
    with log.open("w") as said:
        load = subprocess.Popen([client, *words], stdout=subprocess.DEVNULL, stderr=said)
    try:
        runs_for(log, 1)
        path.touch()
        away = outage(address)
        # What was asked for during the outage is given up, and asked for once more.
        runs_for(log, len(log.read_text().splitlines()) + 2 * TIMEOUT + 2)
    finally:
        load.terminate()
        load.wait()
    print(f"served again after {away:.1f} s, {judge(json.loads(path.read_text()), away)}")
    sys.exit(away > most)


if __name__ == "__main__":
    main()
