"""Use Redis without a pause until a file is gone, and say what was refused.

Every second request comes over one and the same connection, the others log in anew, with the password that stands in
the file at that moment.
"""

import json
import socket
import sys
import time
from pathlib import Path

host, user, flag = sys.argv[1], sys.argv[2], Path(sys.argv[3])
count = {"sent": 0, "logins": 0, "failed": []}


def ask(connection, *words):
    body = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    connection.sendall(f"*{len(words)}\r\n{body}".encode())
    answer = connection.recv(4096).decode()
    count["sent"] += 1
    if not answer.startswith(("+", ":", "$")):
        count["failed"].append(answer or "hung up")


def log_in():
    connection = socket.create_connection((host, 6379), timeout=5)
    count["logins"] += 1
    ask(connection, "AUTH", user, flag.read_text().strip())
    return connection


kept = log_in()
while flag.exists():
    try:
        ask(kept, "INCR", "notes:kept")
        with log_in() as fresh:
            ask(fresh, "INCR", "notes:fresh")
        time.sleep(0.005)
    except FileNotFoundError:
        break
    except OSError as exc:
        count["failed"].append(str(exc))
        kept = log_in()
ask(kept, "PING")
print(json.dumps(count))
