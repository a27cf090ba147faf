"""Log in to Postgres and write, over and over, until a file is gone, and say what was refused.

Every second request comes over connections that are kept, the others log in anew, by each URL that stands in the file.
"""

import json
import sys
import time
from pathlib import Path

import psycopg2

flag = Path(sys.argv[1])
count = {"sent": 0, "failed": []}


def urls():
    return flag.read_text().split()


def log_in(url):
    connection = psycopg2.connect(url, connect_timeout=10)
    connection.autocommit = True
    return connection


def ask(connection):
    count["sent"] += 1
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO counted VALUES (%s)", [count["sent"]])


kept = [log_in(url) for url in urls()]
with kept[0].cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS counted (n int)")
while True:
    try:
        for connection in kept:
            ask(connection)
        for url in urls():
            fresh = log_in(url)
            ask(fresh)
            fresh.close()
        time.sleep(0.005)
    except FileNotFoundError:
        break
    except psycopg2.Error as exc:
        count["failed"].append(str(exc))
        time.sleep(0.1)
print(json.dumps(count))
