# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Probes against a server of the test's own, on loopback."""

from __future__ import annotations

import itertools
import os
import pwd
import socket
import sys
import threading
import time
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._answer import Answer
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PROBES
from ansible_collections.evenkeel.fleet.plugins.module_utils._probes import Probe, probe_of, side_by_side

OPTIONS: dict[str, t.Any] = PROBES["probes"]["options"]
DEFAULTS = {name: option.get("default") for name, option in OPTIONS.items()}

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
Chunks = t.Iterable[bytes]


def look(server: t.Any, **options: t.Any) -> Answer:
    return probe_of({**DEFAULTS, "type": "http", "url": f"http://127.0.0.1:{server.port}/ready", **options})()


def test_a_good_answer(serve: t.Any) -> None:
    server = serve(lambda: [OK, b'{"ready": true}'])
    answer = look(server, json={"ready": True}, headers={"X-Probe": "gate"})
    assert answer == Answer(True, f"GET http://127.0.0.1:{server.port}/ready answered 200")
    assert server.requests[0].startswith(b"GET /ready HTTP/1.1\r\n")
    assert b"\r\nX-Probe: gate\r\n" in server.requests[0]


def test_another_answer(serve: t.Any) -> None:
    server = serve(lambda: [b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nno db"])
    assert look(server).text.endswith("/ready answered 503, wanted 200: no db")


# Each chunk of one byte, or none, comes 0.05 s after the one before: never so late that a socket's timeout ends it.
@pytest.mark.parametrize(
    "script",
    [
        lambda: itertools.repeat(b"", 100),
        lambda: [OK, *[b"x"] * 14, *[b""] * 100],
        lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n\r\n"], itertools.repeat(b"x", 100)),
        lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX-Slow: "], itertools.repeat(b"x", 100)),
        lambda: itertools.chain(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"1", 100)
        ),
    ],
    ids=["hangs", "hangs before the end", "drips its body", "drips a header", "drips a chunk's size"],
)
def test_whatever_drips_in_a_look_ends_in_time(serve: t.Any, script: t.Callable[[], Chunks]) -> None:
    server = serve(script)
    began = time.monotonic()
    answer = look(server, timeout=0.3)
    assert time.monotonic() - began < 2
    assert answer == Answer(False, f"GET http://127.0.0.1:{server.port}/ready gave no whole answer within 0.3 s")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200,
    ],
    ids=["closes", "speaks no HTTP", "cuts its body", "has too many headers"],
)
def test_what_is_no_whole_answer_is_bad(serve: t.Any, said: bytes) -> None:
    answer = look(serve(lambda: [said] if said else []))
    assert not answer.ok
    assert "/ready failed: " in answer.text


def test_a_body_in_no_known_encoding_can_be_judged(serve: t.Any) -> None:
    assert not look(serve(lambda: [OK, b"\xff\xfe" + bytes(13)]), json={"ready": True}).ok


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    assert probe_of({**DEFAULTS, "type": "http", "url": url})().text.startswith(f"GET {url} failed: ")
    answer = probe_of({**DEFAULTS, "type": "tcp", "port": port})()
    assert not answer.ok
    assert answer.text.startswith(f"127.0.0.1:{port} does not accept connections: ")


def test_tcp(serve: t.Any) -> None:
    server = serve(lambda: [])
    answer = probe_of({**DEFAULTS, "type": "tcp", "port": server.port})()
    assert answer == Answer(True, f"127.0.0.1:{server.port} accepts connections")


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "file:///etc/passwd", "http:///ready"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a probe wants http://address:port/path"):
        probe_of({**DEFAULTS, "type": "http", "url": url})


def test_a_bad_expression_is_refused_before_the_first_look() -> None:
    with pytest.raises(ValueError, match=r"body is '\('; it wants a regular expression"):
        probe_of({**DEFAULTS, "type": "http", "url": "http://127.0.0.1/", "body": "("})


def probe(kind: str, base_url: str | None = None, **options: t.Any) -> Probe:
    return probe_of({**DEFAULTS, "type": kind, **options}, base_url)


def test_a_path_is_asked_of_the_instance(serve: t.Any) -> None:
    server = serve(lambda: [OK, b'{"ready": true}'])
    base = f"http://127.0.0.1:{server.port}"
    assert probe("http", base, url="/search?q=a")() == Answer(True, f"GET {base}/search answered 200")
    assert server.requests[0].startswith(b"GET /search?q=a HTTP/1.1\r\n")
    assert probe("tcp", base)().text == f"127.0.0.1:{server.port} accepts connections"


def test_a_request_with_body_and_password(serve: t.Any) -> None:
    server = serve(lambda: [OK, b'{"ready": true}'])
    answer = look(server, method="POST", request_body="näh", username="ann", password="s3cret")
    assert answer.ok
    head = server.requests[0].split(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /ready HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic YW5uOnMzY3JldA==" in head
    assert b"\r\nContent-Length: 4" in head


def test_an_answer_over_budget(serve: t.Any) -> None:
    server = serve(lambda: [OK[:-4], *[b""] * 4, OK[-4:], b'{"ready": true}'])
    answer = look(server, max_latency=0.1)
    assert not answer.ok
    assert answer.text.endswith("/ready answered 200, but only after more than 0.1 s")


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("http", {"url": "/ready"}, "without base_url it wants http://"),
        ("http", {"url": "http://ann:s3cret@127.0.0.1/"}, "url holds a user or password"),
        ("http", {"url": "http://127.0.0.1/", "status": []}, "status is empty"),
        ("http", {"url": "http://127.0.0.1/", "timeout": 0}, "timeout is 0; it wants more than 0 seconds"),
        ("tcp", {}, "port is missing"),
        ("postgres", {"database": "a", "username": "b", "tls": True}, "ca_path is missing"),
        ("command", {"argv": [], "user": "root"}, "argv is empty"),
        ("command", {"argv": ["true"], "user": "root", "output": "("}, "output is '\\('; it wants a regular"),
    ],
)
def test_what_cannot_be_probed_is_refused_at_once(kind: str, options: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        probe(kind, **options)
    assert "s3cret" not in str(caught.value)


def test_redis(serve: t.Any) -> None:
    server = serve(lambda: [b"+OK\r\n", b"+PONG\r\n"])
    answer = probe("redis", port=server.port, password="s3cret")()
    assert answer == Answer(True, f"Redis at 127.0.0.1:{server.port} answered PONG")


def test_a_redis_that_lets_nobody_in(serve: t.Any) -> None:
    server = serve(lambda: [b"-NOAUTH Authentication required.\r\n"])
    answer = probe("redis", port=server.port)()
    assert answer.text.endswith(" answered NOAUTH Authentication required., wanted PONG")
    assert (answer.expected, answer.got) == ("PONG", "NOAUTH Authentication required.")


def test_a_host_without_the_driver_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    answer = probe("postgres", database="notes", username="notes", password="s3cret")()
    assert answer.final
    assert answer.text == (
        "Postgres notes at 127.0.0.1:5432 cannot be asked: the Python library psycopg2 is missing on this host; "
        "wanted the package python3-psycopg2"
    )


ME = pwd.getpwuid(os.geteuid()).pw_name


def test_command() -> None:
    script = "import os, sys; print('url', os.environ['GATE_URL']); sys.exit(3)"
    run = probe(
        "command", "http://here", argv=[sys.executable, "-c", script], user=ME, exit_status=3, output="url http"
    )
    assert run() == Answer(True, f"command {sys.executable} ended with 3")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"argv": ["/nowhere/smoke", "s3cret"]}, "command /nowhere/smoke cannot run: "),
        ({"argv": ["true"], "user": "no-such-user"}, "command true cannot run: there is no user no-such-user"),
        ({"argv": ["sleep", "60"], "timeout": 0.2}, "command sleep did not end within 0.2 s"),
        ({"argv": ["false"]}, "command false ended with 1, wanted 0"),
    ],
)
def test_commands_that_do_not_do(options: dict[str, t.Any], text: str) -> None:
    answer = probe("command", **{"user": ME, **options})()
    assert not answer.ok
    assert answer.text.startswith(text)
    assert "s3cret" not in answer.text


class Units:
    """What systemd says of a unit, and which processes it has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen = {"ActiveState": "active", "NRestarts": "0", "InvocationID": "a", "ControlGroup": "/notes"}
        self.pids: list[str] = []
        self.journal: list[str] = []
        monkeypatch.setattr(_systemd, "journal", lambda _unit, _lines: self.journal)
        monkeypatch.setattr(_systemd, "show", lambda _unit: [dict(self.seen)])
        monkeypatch.setattr(_systemd, "processes", lambda _group: self.pids)


def test_the_port_of_a_unit_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    units = Units(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        unit = probe("unit", unit="notes@green", port=port)
        answer = unit()
        assert answer.text.startswith(f"port {port} does not belong to notes@green: ")
        assert f"({os.getpid()})" in answer.text
        units.seen["ActiveState"] = "failed"
        answer = unit()
        assert answer.final
        assert answer.text.startswith("notes@green is failed (None, None), wanted active; port ")
        units.seen["ActiveState"] = "active"
        units.pids = [str(os.getpid())]
        assert unit() == Answer(True, f"notes@green listens on port {port}")
    assert unit() == Answer(False, f"notes@green does not listen on port {port}")


def test_a_crash_between_two_looks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    units = Units(monkeypatch)
    unit = probe("unit", unit="notes@green")
    assert unit().ok
    units.seen |= {"NRestarts": "1", "InvocationID": "b"}
    units.journal = ["no config", "notes@green: Main process exited, code=exited, status=1/FAILURE"]
    assert unit() == Answer(
        False, "notes@green did not stay up: it exited with 1/FAILURE and said last: no config", final=True
    )


def slow(name: str, seconds: float) -> Probe:
    def look() -> Answer:
        time.sleep(seconds)
        return Answer(True, name)

    return Probe(name, 5, look)


def test_probes_are_asked_side_by_side() -> None:
    began = time.monotonic()
    assert side_by_side([slow("a", 0.3), slow("b", 0.3), slow("c", 0.3)])() == Answer(True, "a; b; c")
    assert time.monotonic() - began < 0.8


def test_a_probe_that_hangs_holds_up_nobody_and_is_not_asked_again() -> None:
    asked = []
    free = threading.Event()

    def hang() -> Answer:
        asked.append(1)
        free.wait(30)
        return Answer(True, "too late")

    look_at_both = side_by_side([Probe("deaf", 0.1, hang), slow("b", 0)])
    began = time.monotonic()
    for _look in range(3):
        assert look_at_both() == Answer(False, "deaf gave no answer within 0.1 s")
    assert time.monotonic() - began < 2
    assert asked == [1]
    free.set()


def test_a_probe_that_breaks_is_bad() -> None:
    def broken() -> Answer:
        raise KeyError("ActiveState")

    answer = Probe("notes@green", 1, broken)()
    assert answer == Answer(False, "notes@green 'ActiveState'")
