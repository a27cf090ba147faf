"""Write to Postgres as services do, to whoever takes writes, until a line comes in: postgres_writer.py HOST...

Says now and then how many writes were acknowledged, and in the end how many of them are still there.
"""

import json
import select
import sys
import time

import psycopg2

# As long as a service would wait for an answer; a leader that is gone does not say so.
PATIENCE = {"connect_timeout": 3, "tcp_user_timeout": 3000, "options": "-c statement_timeout=5000"}


def leader():
    return psycopg2.connect(
        host=",".join(sys.argv[1:]),
        dbname="notes",
        user="notes",
        password="notes-password",
        target_session_attrs="read-write",
        sslmode="require",
        **PATIENCE,
    )


def told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def execute(connection, query, *words):
    with connection, connection.cursor() as cursor:
        cursor.execute(query, words)
        return cursor.fetchall() if cursor.description else None


acknowledged, gap = [], 0.0
connection, number, last = leader(), 0, time.monotonic()
execute(connection, "DROP TABLE IF EXISTS written")
execute(connection, "CREATE TABLE written (number int PRIMARY KEY)")
while not told_to_end():
    number += 1
    try:
        connection = connection or leader()
        execute(connection, "INSERT INTO written VALUES (%s)", number)
        now = time.monotonic()
        gap, last = max(gap, now - last), now
        acknowledged.append(number)
    except psycopg2.Error:
        connection = None
        time.sleep(0.1)
    time.sleep(0.01)
    if number % 50 == 0:
        print(json.dumps({"acknowledged": len(acknowledged)}), flush=True)

there = {row[0] for row in execute(leader(), "SELECT number FROM written")}
print(json.dumps({"acknowledged": len(acknowledged), "lost": len(set(acknowledged) - there), "gap": gap}))
