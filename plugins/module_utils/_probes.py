# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The probes of a gate: each looks once and answers, all of them side by side."""

from __future__ import annotations

import base64
import re
import socket
import threading
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.evenkeel.fleet.plugins.module_utils import (
    _command,
    _connections,
    _http,
    _postgres,
    _redis,
    _systemd,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._answer import (
    Answer,
    WantedReply,
    ending_of,
    judge_command,
    judge_http,
    judge_listener,
    judge_row,
    judge_together,
    judge_unit,
    together,
)

# A probe that keeps its own time says more than one that is given up on, so it comes first.
GRACE = 0.2

# How far back the end of a process is looked for.
JOURNAL_LINES = 20

Look = t.Callable[[], Answer]
Options = t.Mapping[str, t.Any]


class Probe:
    """A look with a time limit. It runs on a thread of its own, so that one that hangs holds up no other."""

    def __init__(self, name: str, timeout: float, look: Look) -> None:
        self.name, self.timeout, self._look = name, timeout, look
        self._thread: threading.Thread | None = None
        self._answer: Answer | None = None
        self._late = False
        self._deadline = 0.0

    def __call__(self) -> Answer:
        self.begin()
        return self.end()

    def begin(self) -> None:
        # Whoever still hangs since the last look is not asked once more.
        self._late = self._thread is not None and self._thread.is_alive()
        if not self._late:
            self._answer, self._deadline = None, time.monotonic() + self.timeout + GRACE
            self._thread = threading.Thread(target=self._ask, daemon=True)
            self._thread.start()

    def end(self) -> Answer:
        if self._thread is not None:
            self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._late or self._answer is None:
            text = f"{self.name} gave no answer within {self.timeout} s"
            return Answer(False, text, expected=f"an answer within {self.timeout} s", got="none")
        return self._answer

    def _ask(self) -> None:
        try:
            self._answer = self._look()
        except TimeoutError as exc:
            expected = f"an answer within {self.timeout} s"
            self._answer = Answer(False, f"{self.name} {exc}", expected=expected, got="none")
        except Exception as exc:
            # Whatever went wrong: what cannot be looked at is not healthy.
            got = str(exc) or type(exc).__name__
            self._answer = Answer(False, f"{self.name} {got}", expected="an answer", got=got)


def probe_of(options: Options, base_url: str | None = None) -> Probe:
    """The probe that these options describe. Raises ValueError; asks nobody yet."""
    if options["timeout"] <= 0:
        raise ValueError(f"timeout is {options['timeout']}; it wants more than 0 seconds")
    return _MAKERS[options["type"]](options, base_url)


def side_by_side(probes: t.Sequence[Probe]) -> Look:
    """A look at all of them at once, which takes as long as the slowest one may."""

    def look() -> Answer:
        for probe in probes:
            probe.begin()
        return together([probe.end() for probe in probes])

    return look


def ready_probe(url: str) -> Probe:
    """A plain look at a URL that wants 200 within five seconds."""
    return _http_probe(_http.Request(url), WantedReply())


def _http_of(options: Options, base_url: str | None) -> Probe:
    url = options["url"]
    if url.startswith("/"):
        if base_url is None:
            raise ValueError(f"url is {url!r}; without base_url it wants http://address:port/path, or https")
        url = base_url.rstrip("/") + url
    headers = {name: str(value) for name, value in options["headers"].items()}
    if options["password"] is not None:
        pair = f"{options['username'] or ''}:{options['password']}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    request = _http.Request(
        url, options["method"], headers, options["request_body"], options["timeout"], _tls_of(options)
    )
    _expression("body", options["body"])
    if options["max_latency"] is not None and options["max_latency"] <= 0:
        raise ValueError(f"max_latency is {options['max_latency']}; it wants more than 0 seconds")
    if not options["status"]:
        raise ValueError("status is empty; it wants at least one")
    wanted = WantedReply(options["status"], options["json"], options["body"], options["max_latency"])
    return _http_probe(request, wanted)


def _http_probe(request: _http.Request, wanted: WantedReply) -> Probe:
    def look() -> Answer:
        reply = _http.ask(request)
        return judge_http(request.name, reply.status, reply.body, reply.seconds, wanted)

    return Probe(request.name, request.timeout, look)


def _tcp_of(options: Options, base_url: str | None) -> Probe:
    address = options["address"]
    port = options["port"] or (urlsplit(base_url).port if base_url else None)
    if not port:
        raise ValueError("port is missing; without base_url a probe of type tcp wants one")
    name = f"{address}:{port}"

    def look() -> Answer:
        try:
            socket.create_connection((address, port), options["timeout"]).close()
        except OSError as exc:
            return Answer(False, f"{name} does not accept connections: {exc}", expected="a connection", got=str(exc))
        return Answer(True, f"{name} accepts connections")

    return Probe(name, options["timeout"], look)


def _unit_of(options: Options, _base_url: str | None) -> Probe:
    unit, port, restarts = options["unit"], options["port"], options["restarts"]
    before: dict[str, str] = {}

    def look() -> Answer:
        seen = _systemd.show(unit)[0]
        if not before:
            before.update(seen)
        answer = judge_unit(unit, before, seen, restarts=restarts)
        if not answer.ok and answer.final:
            answer = judge_unit(unit, before, seen, ending_of(_systemd.journal(unit, JOURNAL_LINES)), restarts)
        return judge_together(answer, _listener(unit, port, seen)) if port else answer

    return Probe(unit, options["timeout"], look)


def _listener(unit: str, port: int, seen: t.Mapping[str, str]) -> Answer:
    listening = _connections.listeners_on_host(port)
    others = listening - _connections.sockets_of(_systemd.processes(seen.get("ControlGroup", "")))
    strangers = (_connections.holders_of(others) or ["somebody else"]) if others else []
    return judge_listener(unit, port, listening, strangers)


def _postgres_of(options: Options, _base_url: str | None) -> Probe:
    address, port, database = options["address"], options["port"] or 5432, options["database"]
    name = f"Postgres {database} at {address}:{port}"
    arguments = {
        "host": options["server_name"] or address,
        "hostaddr": address if options["server_name"] else None,
        "port": port,
        "dbname": database,
        "user": options["username"],
        "password": options["password"],
        "sslrootcert": options["ca_path"],
    }
    if options["tls"]:
        arguments["sslmode"] = "verify-full" if options["validate_certs"] else "require"
        if options["validate_certs"] and not options["ca_path"]:
            raise ValueError("ca_path is missing; a probe of type postgres wants it to check the certificate")
    arguments = {key: value for key, value in arguments.items() if value is not None}

    def look() -> Answer:
        try:
            row = _postgres.first_row(arguments, options["query"], options["timeout"])
        except _postgres.DriverMissingError as exc:
            text = f"{name} cannot be asked: {exc}"
            return Answer(False, text, final=True, expected="psycopg2", got="no such library")
        except TimeoutError:
            raise
        except OSError as exc:
            # What the driver says may quote what it was given.
            said = str(exc).replace(options["password"], "********") if options["password"] else str(exc)
            return Answer(False, f"{name} failed: {said}", expected="an answer", got=said)
        return judge_row(name, row, options["answer"])

    return Probe(name, options["timeout"], look)


def _redis_of(options: Options, _base_url: str | None) -> Probe:
    address, port = options["address"], options["port"] or 6379
    name = f"Redis at {address}:{port}"
    tls = _tls_of(options) if options["tls"] else None
    server = _redis.Server(address, port, options["username"], options["password"], tls)

    def look() -> Answer:
        try:
            said = _redis.ping(server, options["timeout"])
        except TimeoutError:
            raise
        except OSError as exc:
            return Answer(False, f"{name} failed: {exc}", expected="PONG", got=str(exc))
        ok = said == "PONG"
        return Answer(ok, f"{name} answered {said}" + ("" if ok else ", wanted PONG"), expected="PONG", got=said)

    return Probe(name, options["timeout"], look)


def _command_of(options: Options, base_url: str | None) -> Probe:
    argv = options["argv"]
    if not argv:
        raise ValueError("argv is empty; it wants a program and its arguments")
    name = f"command {argv[0]}"
    _expression("output", options["output"])
    environment = {"GATE_URL": base_url} if base_url else {}

    def look() -> Answer:
        try:
            status, output = _command.run(argv, options["user"], options["timeout"], environment)
        except TimeoutError:
            raise
        except (OSError, ValueError) as exc:
            return Answer(False, f"{name} cannot run: {exc}", expected="a command that runs", got=str(exc))
        return judge_command(name, status, output, options["exit_status"], options["output"])

    return Probe(name, options["timeout"], look)


_MAKERS: dict[str, t.Callable[[Options, str | None], Probe]] = {
    "http": _http_of,
    "tcp": _tcp_of,
    "unit": _unit_of,
    "postgres": _postgres_of,
    "redis": _redis_of,
    "command": _command_of,
}


def _tls_of(options: Options) -> _http.Tls:
    return _http.Tls(options["validate_certs"], options["ca_path"], options["server_name"])


def _expression(option: str, pattern: str | None) -> None:
    try:
        re.compile(pattern or "")
    except re.error as exc:
        raise ValueError(f"{option} is {pattern!r}; it wants a regular expression: {exc}") from exc
