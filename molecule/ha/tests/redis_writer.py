"""Write to Redis as services do, to whom Sentinel says, until a line comes in: redis_writer.py SENTINEL...

Each key is written twice, the second time with WAIT for a replica to have it. Says now and then how many writes were
acknowledged, and in the end which were and what is still there of them.
"""

import json
import select
import socket
import sys
import time

NAME, USER, PASSWORD, SENTINELS_PASSWORD = "notes", "notes", "notes-password", "sentinels-password"


class Redis:
    def __init__(self, address, port, *login):
        self.socket = socket.create_connection((address, port), timeout=2)
        self.file = self.socket.makefile("rb")
        self.ask("AUTH", *login)

    def ask(self, *words):
        body = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        self.socket.sendall(f"*{len(words)}\r\n{body}".encode())
        return self.answer()

    def answer(self):
        line = self.file.readline().decode().rstrip()
        if not line or line.startswith("-"):
            raise OSError(line or "hung up")
        if line.startswith("*"):
            return [self.answer() for _element in range(int(line[1:]))]
        if line.startswith("$"):
            return None if line == "$-1" else self.file.read(int(line[1:]) + 2).decode().rstrip()
        return line[1:]


def primary():
    for sentinel in sys.argv[1:]:
        try:
            address, port = Redis(sentinel, 26379, SENTINELS_PASSWORD).ask("SENTINEL", "get-master-addr-by-name", NAME)
            found = Redis(address, int(port), USER, PASSWORD)
            if found.ask("ROLE")[0] == "master":
                return found
        except OSError:
            pass
    raise OSError("no primary")


def told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


plain, confirmed, gap = [], [], [0.0, 0.0]
connection, number, last = None, 0, time.time()
while not told_to_end():
    number += 1
    try:
        connection = connection or primary()
        connection.ask("SET", f"notes:plain:{number}", "x")
        now = time.time()
        gap, last = max(gap, [now - last, now]), now
        plain.append([number, now])
        connection.ask("SET", f"notes:confirmed:{number}", "x")
        if int(connection.ask("WAIT", "1", "500")) >= 1:
            confirmed.append(number)
    except OSError:
        connection = None
        time.sleep(0.05)
    if number % 100 == 0:
        print(json.dumps({"acknowledged": len(plain)}), flush=True)

connection = primary()
lost = [at for number, at in plain if connection.ask("GET", f"notes:plain:{number}") is None]
lost_confirmed = [number for number in confirmed if connection.ask("GET", f"notes:confirmed:{number}") is None]
# How long before the first failure the oldest lost write was acknowledged.
began = gap[1] - gap[0]
print(
    json.dumps(
        {
            "acknowledged": len(plain),
            "lost": len(lost),
            "lost_seconds": began - min(lost) if lost else 0,
            "confirmed": len(confirmed),
            "lost_confirmed": len(lost_confirmed),
            "gap": gap[0],
        }
    )
)
