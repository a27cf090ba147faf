# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The probes of a gate: each looks once and answers."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._gate import Answer, judge_http, judge_unit

BODY_READ = 1 << 20

Probe = t.Callable[[], Answer]


def probe_of(options: t.Mapping[str, t.Any]) -> Probe:
    return {"http": _http, "tcp": _tcp, "unit": _unit}[options["type"]](options)


def ready_probe(url: str) -> Probe:
    """A plain look at a URL that wants 200 within five seconds."""
    look = {"method": "GET", "timeout": 5.0, "headers": {}, "status": [200], "json": {}, "body": None}
    return _http({"url": url, **look})


def _http(options: t.Mapping[str, t.Any]) -> Probe:
    url, method, timeout = options["url"], options["method"], options["timeout"]
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"url is {url!r}; a probe wants http://address:port/path")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name = f"{method} {url}"
    try:
        re.compile(options["body"] or "")
    except re.error as exc:
        raise ValueError(f"body is {options['body']!r}; it wants a regular expression: {exc}") from exc

    def look() -> Answer:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
        deadline = time.monotonic() + timeout
        late = Answer(False, f"{name} gave no whole answer within {timeout} s")
        try:
            connection.connect()
            with _hanging_up_at(deadline, connection.sock):
                connection.request(method, target, headers={"Connection": "close", **options["headers"]})
                response = connection.getresponse()
                body = response.read(BODY_READ)
            if response.length and len(body) < BODY_READ:
                raise http.client.IncompleteRead(body, response.length)
        except TimeoutError:
            return late
        except (OSError, http.client.HTTPException) as exc:
            failed = Answer(False, f"{name} failed: {exc or type(exc).__name__}")
            return failed if time.monotonic() < deadline else late
        finally:
            connection.close()
        if time.monotonic() >= deadline:
            return late
        return judge_http(
            name, response.status, body.decode("utf-8", "replace"), options["status"], options["json"], options["body"]
        )

    return look


@contextlib.contextmanager
def _hanging_up_at(deadline: float, connection: socket.socket) -> t.Iterator[None]:
    """End a connection at the deadline. A socket's own timeout starts anew with every byte that drips in."""

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(deadline - time.monotonic(), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tcp(options: t.Mapping[str, t.Any]) -> Probe:
    address, port, timeout = options["address"], options["port"], options["timeout"]

    def look() -> Answer:
        try:
            socket.create_connection((address, port), timeout).close()
        except OSError as exc:
            return Answer(False, f"{address}:{port} does not accept connections: {exc}")
        return Answer(True, f"{address}:{port} accepts connections")

    return look


def _unit(options: t.Mapping[str, t.Any]) -> Probe:
    unit = options["unit"]
    before = _systemd.show(unit)[0]

    def look() -> Answer:
        return judge_unit(unit, before, _systemd.show(unit)[0])

    return look
