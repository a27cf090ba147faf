"""Say which of the targets on standard input, one "name address port" a line, answer, and which of them by refusing.

Of a wall nothing is heard at all.
"""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor


def answer(target):
    name, address, port = target.split()
    try:
        socket.create_connection((address, int(port)), timeout=2).close()
    except ConnectionRefusedError:
        return f"{name} {port} refused"
    except OSError:
        return ""
    return f"{name} {port}"


targets = [line for line in sys.stdin.read().splitlines() if line]
with ThreadPoolExecutor(64) as pool:
    print("\n".join(sorted(filter(None, pool.map(answer, targets)))))
