# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Probes against a server of the test's own, on loopback."""

from __future__ import annotations

import itertools
import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._gate import Answer
from ansible_collections.evenkeel.fleet.plugins.module_utils._probes import probe_of

DEFAULTS = {
    "method": "GET",
    "headers": {},
    "status": [200],
    "json": {},
    "body": None,
    "timeout": 5,
    "address": "127.0.0.1",
}

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
Chunks = t.Iterable[bytes]


class Server:
    """Sends the chunks of its script to whoever connects, until the script or the test is over, and notes requests."""

    def __init__(self, script: t.Callable[[], Chunks]) -> None:
        self.script = script
        self.over = threading.Event()
        self.requests: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536))
                for chunk in self.script():
                    try:
                        connection.sendall(chunk)
                    except OSError:
                        break
                    if chunk == b"" or len(chunk) == 1:
                        self.over.wait(0.05)
                    if self.over.is_set():
                        break

    def stop(self) -> None:
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.fixture
def serve() -> t.Iterator[t.Callable[[t.Callable[[], Chunks]], Server]]:
    servers: list[Server] = []

    def begin(script: t.Callable[[], Chunks]) -> Server:
        servers.append(Server(script))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


def look(server: Server, **options: t.Any) -> Answer:
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


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "https://127.0.0.1/", "file:///etc/passwd", "http:///ready"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a probe wants http://address:port/path"):
        probe_of({**DEFAULTS, "type": "http", "url": url})


def test_a_bad_expression_is_refused_before_the_first_look() -> None:
    with pytest.raises(ValueError, match=r"body is '\('; it wants a regular expression"):
        probe_of({**DEFAULTS, "type": "http", "url": "http://127.0.0.1/", "body": "("})
