# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server of the test's own on loopback, and a certificate for it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest

Chunks = t.Iterable[bytes]


class Server:
    """Sends the chunks of its script to whoever connects, until the script or the test is over, and notes requests."""

    def __init__(self, script: t.Callable[[], Chunks], tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.tls = tls
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
            with contextlib.suppress(OSError), connection:
                if self.tls:
                    with self.tls.wrap_socket(connection, server_side=True) as wrapped:
                        self.answer(wrapped)
                else:
                    self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        self.requests.append(connection.recv(65536))
        for chunk in self.script():
            connection.sendall(chunk)
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
def serve() -> t.Iterator[t.Callable[..., Server]]:
    servers: list[Server] = []

    def begin(script: t.Callable[[], Chunks], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(script, tls))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the key and the certificate of notes.example.com, which only those trust who are given it."""
    path = tmp_path_factory.mktemp("tls") / "notes.pem"
    name = ["-subj", "/CN=notes.example.com", "-addext", "subjectAltName=DNS:notes.example.com"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *kind, *name, "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture(scope="session")
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
