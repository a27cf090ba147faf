# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. One HTTP request that ends in time, whatever the other side does."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

BODY_READ = 1 << 20


def without_query(url: str) -> str:
    """For messages. A query may hold a token."""
    return url.partition("?")[0]


@dataclass(frozen=True)
class Tls:
    """How the other side proves who it is. Without a CA file, the host's own certificates are trusted."""

    validate_certs: bool = True
    ca_path: str | None = None
    server_name: str | None = None

    def wrap(self, connection: socket.socket, address: str) -> ssl.SSLSocket:
        """A connection on which the handshake is still to be made."""
        context = ssl.create_default_context(cafile=self.ca_path)
        if not self.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        name = self.server_name or address
        return context.wrap_socket(connection, server_hostname=name, do_handshake_on_connect=False)


@dataclass(frozen=True)
class Request:
    """What to ask. ``timeout`` is for the whole answer, of which no more than ``longest_body`` is read."""

    url: str
    method: str = "GET"
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    timeout: float = 5.0
    tls: Tls = Tls()
    longest_body: int = BODY_READ

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if "@" in parts.netloc:
            raise ValueError("url holds a user or password, which logs would show; wanted in username and password")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url is {self.url!r}; a probe wants http://address:port/path, or https")

    @property
    def name(self) -> str:
        """For messages. A query may hold a token."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.scheme}://{parts.netloc}{parts.path or '/'}"


@dataclass(frozen=True)
class Reply:
    status: int
    body: str
    seconds: float


def ask(request: Request) -> Reply:
    """Send a request and read the answer. Raises TimeoutError or OSError."""
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port, timeout=request.timeout)
    began = time.monotonic()
    deadline = began + request.timeout
    late = TimeoutError(f"gave no whole answer within {request.timeout} s")
    try:
        connection.connect()
        if parts.scheme == "https":
            connection.sock = request.tls.wrap(connection.sock, host)
        with hanging_up_at(deadline, connection.sock):
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            body = None if request.body is None else request.body.encode()
            connection.request(request.method, target, body=body, headers={"Connection": "close", **request.headers})
            response = connection.getresponse()
            content = response.read(request.longest_body)
        if response.length and len(content) < request.longest_body:
            raise http.client.IncompleteRead(content, response.length)
    except TimeoutError as exc:
        raise late from exc
    except (OSError, ValueError, http.client.HTTPException) as exc:
        # A hang-up at the deadline looks like one of the other side's.
        if time.monotonic() >= deadline:
            raise late from exc
        raise OSError(f"failed: {exc or type(exc).__name__}") from exc
    finally:
        connection.close()
    if time.monotonic() >= deadline:
        raise late
    return Reply(response.status, content.decode("utf-8", "replace"), time.monotonic() - began)


@contextlib.contextmanager
def hanging_up_at(deadline: float, connection: socket.socket) -> t.Iterator[None]:
    """End a connection at the deadline. A socket's own timeout starts anew with every byte that drips in."""

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            # Of the socket below TLS, whose own method would pull the session from under who reads.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
