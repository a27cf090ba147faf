"""Visit a front end through all its balancers without a pause, until told to stop: front_end.py ADDRESS...

A page comes from one balancer, and what it asks for from any; and pages stay open.
"""

from __future__ import annotations

import itertools
import signal
import sys
import urllib.request
from types import FrameType

stopped = False


def stop(_signal: int, _frame: FrameType | None) -> None:
    global stopped
    stopped = True


def ask(address: str, path: str) -> bytes:
    request = urllib.request.Request(f"http://{address}{path}", headers={"Host": "front.test"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    addresses = sys.argv[1:]
    visits, versions = 0, set()
    for balancer in itertools.cycle(addresses):
        if stopped:
            break
        versions.add(ask(balancer, "/").split()[1].decode())
        for address, version in itertools.product(addresses, versions):
            assert ask(address, f"/assets/app-{version}.js").startswith(f"/* script {version} ".encode())
            visits += 1
    print(f"{visits} files of releases {' and '.join(sorted(versions))}")


if __name__ == "__main__":
    main()
