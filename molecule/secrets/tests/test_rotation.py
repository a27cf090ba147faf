"""Passwords and keys are replaced while strict clients are at work: none of them notices, and the old ones are refused.

Secrets are written into a file of the inventory and taken out of it, as an operator edits a vault.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator

import fleet
import pytest
import yaml
from load import Load
from trial import Service

PLAYBOOK = ("playbooks/rotate_secrets.yml", "--limit", "all")
# Three rollouts in one go.
PATIENCE = 900
USERS = ("--connections", "8", "--websockets", "2", "--rate", "40", "--verify")
MANY_USERS = ("--connections", "8", "--websockets", "2", "--rate", "120", "--verify")
KINDS = ("database_password", "redis_password", "jwt_secret")
DATABASE_USERS = {1: "notes_a", 2: "notes_b"}

# Looks for secrets in the arguments of every process until a file is gone. They come by stdin.
WATCH = """
import glob, json, os, sys, time
wanted, flag, seen = json.loads(sys.argv[1]), sys.argv[2], set()
open(flag, "w").close()
while os.path.exists(flag):
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = open(path, "rb").read().decode(errors="replace")
        except OSError:
            continue
        seen.update(words for half in wanted if "".join(half) in words)
    time.sleep(0.2)
print(json.dumps(sorted(seen)))
"""
FLAG = "/run/evenkeel-watch"

# Where on a host a secret can be found.
SEARCH = fleet.CHECKOUT / "bin/lib/search.py"


def secrets(number: int) -> dict[str, str]:
    return {f"notes_{kind}": f"{kind.partition('_')[0]}-canary-{number}" for kind in KINDS}


def keep(notes: Service, now: int, previous: int | None = None, **more: str) -> None:
    """Write the values that each secret has now, and had before."""
    kept = secrets(now) | {"notes_database_user": DATABASE_USERS[now]} | more
    if previous is not None:
        kept |= {f"{name}_previous": value for name, value in secrets(previous).items()}
    path = notes.inventory / "group_vars/all/secrets.yml"
    path.write_text(yaml.safe_dump(kept))


def signed_with(secret: str) -> str:
    """A token as the service makes it."""

    def plain(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    claims = json.dumps({"sub": "somebody", "exp": int(time.time()) + 60}).encode()
    head = f"{plain(b'{}')}.{plain(claims)}"
    return f"{head}.{plain(hmac.digest(secret.encode(), head.encode(), hashlib.sha256))}"


class Bearers(threading.Thread):
    """Ask for tokens through the balancer and show each as long as it is valid, whichever instance made it."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.address, self.over = address, threading.Event()
        self.shown, self.refused = 0, list[str]()

    def run(self) -> None:
        tokens = list[tuple[float, str]]()
        while not self.over.is_set():
            status, said = self.ask("/token")
            if status == 200:
                # Less than it is valid, by what a slow machine may take to ask.
                tokens.append((time.monotonic() + said["seconds"] - 4, said["token"]))
            tokens = [(until, token) for until, token in tokens if until > time.monotonic()]
            for _until, token in tokens:
                self.ask("/whoami", token)
            self.over.wait(0.3)

    def ask(self, path: str, token: str = "") -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        said = answer.status, json.loads(answer.read())
        connection.close()
        self.shown += 1
        if answer.status != 200:
            self.refused.append(f"{path}: {said}")
        return said

    def end(self) -> None:
        self.over.set()
        self.join()


@pytest.fixture
def bearers(notes: Service) -> Iterator[Bearers]:
    bearers = Bearers(balancer(notes))
    bearers.start()
    yield bearers
    bearers.end()


@pytest.fixture(autouse=True)
def first_secrets(notes: Service) -> Iterator[None]:
    keep(notes, now=1)
    done = notes.play("site.yml", "--limit", "all", "--tags", "postgres,redis,app")
    assert done.status == 0, done.output
    yield
    keep(notes, now=1)


def balancer(notes: Service) -> str:
    return fleet.addresses_of(notes.inventory)["lb1"]


def on(notes: Service, host: str, *command: str) -> str:
    return fleet.run("docker", "exec", fleet.container(notes.fleet, host), *command)


def lets_in(notes: Service, number: int) -> list[bool]:
    """Whether Postgres, its pgbouncer and Redis let in whoever has the passwords of that number."""
    known = secrets(number)
    asked = f"PGPASSWORD={known['notes_database_password']} psql -h localhost -U {DATABASE_USERS[number]}"
    redis = f"REDISCLI_AUTH={known['notes_redis_password']} redis-cli --user notes PING"
    return [
        on(notes, "lb1", "sh", "-c", f"{asked} -p 5432 notes -Atc 'SELECT 42' 2>&1 || true") == "42",
        on(notes, "lb1", "sh", "-c", f"{asked} -p 6432 notes -Atc 'SELECT 42' 2>&1 || true") == "42",
        on(notes, "lb1", "sh", "-c", f"{redis} 2>&1 || true") == "PONG",
    ]


def accepts(notes: Service, secret: str) -> list[int]:
    """What each instance answers to a token that is signed with this secret."""
    asked = []
    for address in notes.addresses.values():
        connection = http.client.HTTPConnection(address, notes.host_port, timeout=10)
        connection.request("GET", "/whoami", headers={"Authorization": f"Bearer {signed_with(secret)}"})
        asked.append(connection.getresponse().status)
        connection.close()
    return asked


class Watch(threading.Thread):
    """Looks at the processes of a host for secrets."""

    def __init__(self, notes: Service, host: str, wanted: list[str]) -> None:
        super().__init__(daemon=True)
        self.notes, self.host, self.seen = notes, host, "never looked"
        # In two halves, for the watch itself is a process with arguments.
        self.wanted = json.dumps([[secret[:6], secret[6:]] for secret in wanted])
        self.start()
        fleet.wait_for(f"the watch on {host}", lambda: bool(on(notes, host, "find", "/run", "-path", FLAG)))

    def run(self) -> None:
        self.seen = on(self.notes, self.host, "python3", "-c", WATCH, self.wanted, FLAG)

    def end(self) -> list[str]:
        on(self.notes, self.host, "rm", FLAG)
        self.join()
        found: list[str] = json.loads(self.seen)
        return found


def test_nobody_notices_a_rotation_and_the_old_secrets_are_refused(
    notes: Service,
    bearers: Bearers,
    load: Callable[..., Load],
    nobody_noticed: Callable[..., None],
) -> None:
    old, new = secrets(1), secrets(2)
    assert lets_in(notes, 1) == [True] * 3
    assert accepts(notes, secrets(1)["notes_jwt_secret"]) == [200, 200]
    watches = [Watch(notes, host, [*old.values(), *new.values()]) for host in ("lb1", "app2")]
    users = load(notes, *MANY_USERS)

    keep(notes, now=2, previous=1)
    done = notes.begin(*PLAYBOOK, "-vvv", "--diff").end(PATIENCE)
    report = users.end(at_least=100)
    bearers.end()

    assert done.status == 0, done.output
    nobody_noticed(report, at_least=10_000)
    assert bearers.refused == []
    assert bearers.shown > 100, "too few to mean anything"
    assert [watch.end() for watch in watches] == [[], []]
    assert [secret for secret in [*old.values(), *new.values()] if secret in done.output] == []

    assert (lets_in(notes, 2), lets_in(notes, 1)) == ([True] * 3, [False] * 3)
    assert (accepts(notes, new["notes_jwt_secret"]), accepts(notes, old["notes_jwt_secret"])) == ([200] * 2, [401] * 2)

    # As long as the previous values are in the vault, it may be done again, and without them there is nothing to do.
    before = notes.states()
    again = notes.begin(*PLAYBOOK).end(PATIENCE)
    assert again.status == 0, again.output
    keep(notes, now=2)
    done = notes.play("site.yml", "--limit", "all")
    assert done.status == 0, done.output
    assert "changed=0 " in done.output
    assert notes.states() == before


def test_the_host_of_the_data_knows_no_secret_in_clear_and_its_backups_do_not_either(notes: Service) -> None:
    on(notes, "lb1", "evenkeel-backup", "job", "backup", "--wait")
    # The users of the database are in its backup: a search that finds nothing would prove nothing.
    wanted = secrets(1) | {"user": DATABASE_USERS[1]}
    script = f"{SEARCH.read_text()}\nsearch({json.dumps(wanted)})\n"
    found = json.loads(
        fleet.run("docker", "exec", "-i", fleet.container(notes.fleet, "lb1"), "python3", "-", stdin=script)
    )
    assert [place for place in found.pop("user") if "/var/backups/evenkeel/" in place]
    assert found == {name: [] for name in secrets(1)}


def test_secrets_that_a_service_does_not_get_along_with_are_not_used_and_the_old_ones_stay_good(
    notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    users = load(notes, *USERS)
    keep(notes, now=2, previous=1, notes_redis_password_in_url="a typing error")
    done = notes.begin(*PLAYBOOK).end(PATIENCE)
    nobody_noticed(users.end())

    assert done.status > 0
    assert "was not kept; every host is back on what it ran before" in done.output
    assert (lets_in(notes, 1), lets_in(notes, 2)) == ([True] * 3, [True] * 3)
    assert accepts(notes, secrets(1)["notes_jwt_secret"]) == [200, 200]
