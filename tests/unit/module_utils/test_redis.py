# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._http import Tls
from ansible_collections.evenkeel.fleet.plugins.module_utils._redis import Server, ask, ping


def at(server: t.Any, **more: t.Any) -> Server:
    return Server("127.0.0.1", server.port, **more)


def test_ping(serve: t.Any) -> None:
    server = serve(lambda: [b"+PONG\r\n"])
    assert ping(at(server), 5) == "PONG"
    assert server.requests == [b"*1\r\n$4\r\nPING\r\n"]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ({"password": "s3 cret\r\n"}, b"*2\r\n$4\r\nAUTH\r\n$9\r\ns3 cret\r\n\r\n"),
        ({"username": "ann", "password": "ü"}, b"*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$2\r\n\xc3\xbc\r\n"),
    ],
)
def test_who_asks_says_so_first(serve: t.Any, who: dict[str, str], said: bytes) -> None:
    server = serve(lambda: [b"+OK\r\n", b"+PONG\r\n"])
    assert ping(at(server, **who), 5) == "PONG"
    assert server.requests[0] == said


def test_a_wrong_password(serve: t.Any) -> None:
    server = serve(lambda: [b"-WRONGPASS invalid username-password pair\r\n"])
    assert ping(at(server, password="s3cret"), 5) == "WRONGPASS invalid username-password pair"


def test_tls(serve: t.Any, tls: t.Any, certificate: Path) -> None:
    server = serve(lambda: [b"+PONG\r\n"], tls)
    assert ping(at(server, tls=Tls(ca_path=str(certificate), server_name="notes.example.com")), 5) == "PONG"
    with pytest.raises(OSError, match="certificate verify failed"):
        ping(at(server, tls=Tls()), 5)


@pytest.mark.parametrize(
    ("script", "error", "complaint"),
    [
        ([], OSError, "hung up"),
        ([b"+PONG"], OSError, "does not speak the protocol of Redis"),
        ([b"x"] * 100, TimeoutError, "gave no answer within 0.3 s"),
    ],
)
def test_no_redis_at_all(serve: t.Any, script: list[bytes], error: type[Exception], complaint: str) -> None:
    server = serve(lambda: script)
    with pytest.raises(error, match=complaint):
        ping(at(server), 0.3)


def test_what_is_refused_is_the_last_thing_said(serve: t.Any) -> None:
    server = serve(lambda: [b"+OK\r\n", b":1\r\n", b"-ERR no\r\n", *[b""] * 40])
    assert ask(at(server, password="x"), [("ONE",), ("TWO",), ("THREE",)], 5) == [":1", "-ERR no"]


def test_after_a_refused_login_nothing_is_asked(serve: t.Any) -> None:
    server = serve(lambda: [b"-WRONGPASS\r\n"])
    assert ask(at(server, password="x"), [("ONE",)], 5) == ["-WRONGPASS"]
