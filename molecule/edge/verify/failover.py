"""Ask an address for a site, time and again, until it was away and is back: failover.py ADDRESS MOST_SECONDS.

Says for how long nobody answered, and fails where that was too long.
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request

ENOUGH = 20
PATIENCE = 60


def answers(address: str) -> bool:
    request = urllib.request.Request(f"http://{address}/version", headers={"Host": "notes.test"})
    try:
        with urllib.request.urlopen(request, timeout=0.5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> None:
    address, most = sys.argv[1], float(sys.argv[2])
    began = last = time.monotonic()
    away, failed, good = 0.0, 0, 0
    print("asking", flush=True)
    while not (failed and good >= ENOUGH):
        if time.monotonic() - began > PATIENCE:
            sys.exit(f"{failed} requests failed; the last {good} were answered; nothing was handed over")
        if answers(address):
            now = time.monotonic()
            away, last, good = max(away, now - last), now, good + 1
        else:
            failed, good = failed + 1, 0
        time.sleep(0.05)
    print(f"served again after {away:.1f} s, {failed} requests failed")
    sys.exit(away > most)


if __name__ == "__main__":
    main()
