# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Against a real server, which can be told to misbehave."""

from __future__ import annotations

import os
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._download import ATTEMPTS, download

DATA = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """Serves DATA at every path. ``cuts`` says after how many bytes answers end, ``statuses`` which fail and how."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/notes.tar.gz?token=hunter2"
        self.ranges = True
        self.cuts: list[int] = []
        self.statuses: list[int] = []
        self.redirect = ""
        self.seen: list[dict[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        ours = self.server
        ours.seen.append({name.lower(): value for name, value in self.headers.items()})
        if ours.redirect:
            self.send_response(302)
            self.send_header("Location", ours.redirect)
            self.end_headers()
            return
        if ours.statuses:
            self.send_error(ours.statuses.pop(0))
            return
        first = int(self.headers.get("Range", "bytes=0-")[6:-1]) if ours.ranges else 0
        if first >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(DATA) - first))
        self.end_headers()
        self.wfile.write(DATA[first : first + ours.cuts.pop(0)] if ours.cuts else DATA[first:])

    def log_message(self, *_arguments: t.Any) -> None:
        pass


@pytest.fixture
def server() -> t.Iterator[Server]:
    with Server() as ours:
        threading.Thread(target=ours.serve_forever, args=(0.01,), daemon=True).start()
        yield ours
        ours.shutdown()


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def fetch(tmp_path: Path, naps: list[float]) -> t.Callable[..., bytes]:
    def run(url: str, there: bytes = b"", **more: t.Any) -> bytes:
        path = tmp_path / "part"
        if there:
            path.write_bytes(there)
        download(url, str(path), sleep=naps.append, **more)
        return path.read_bytes()

    return run


def test_a_whole_file(server: Server, fetch: t.Any, naps: list[float]) -> None:
    assert fetch(server.url) == DATA
    assert "range" not in server.seen[0]
    assert naps == []


def test_an_interrupted_one_goes_on_where_it_ended(server: Server, fetch: t.Any, naps: list[float]) -> None:
    server.cuts = [1000, 500_000]
    assert fetch(server.url) == DATA
    assert [request.get("range") for request in server.seen] == [None, "bytes=1000-", "bytes=501000-"]
    assert naps == [1, 2]


def test_what_an_earlier_run_left_is_gone_on_with(server: Server, fetch: t.Any) -> None:
    assert fetch(server.url, there=DATA[:70_000]) == DATA
    assert server.seen[0]["range"] == "bytes=70000-"


def test_a_server_without_ranges_begins_anew(server: Server, fetch: t.Any) -> None:
    server.ranges = False
    server.cuts = [1000]
    assert fetch(server.url) == DATA


def test_what_is_whole_already_is_left_as_it_is(server: Server, fetch: t.Any) -> None:
    assert fetch(server.url, there=DATA) == DATA


def test_a_server_in_trouble_is_asked_again_but_not_for_ever(server: Server, fetch: t.Any, naps: list[float]) -> None:
    server.statuses = [503, 429, 500]
    assert fetch(server.url) == DATA
    server.statuses = [503] * 99
    with pytest.raises(
        OSError, match=rf"notes.tar.gz: failed {ATTEMPTS} times, the last time by .* 503.*; 1048576 bytes came"
    ):
        fetch(server.url)
    assert naps == [1, 2, 4, 1, 2, 4, 8]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_says_no_is_believed(server: Server, fetch: t.Any, naps: list[float], status: int) -> None:
    server.statuses = [status]
    with pytest.raises(OSError, match=f"notes.tar.gz: the server answers {status} "):
        fetch(server.url)
    assert naps == []


def test_nobody_there(server: Server, fetch: t.Any) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match=rf"notes.tar.gz: failed {ATTEMPTS} times, the last time by .*refused"):
        fetch(server.url)


def test_headers_are_not_sent_on(server: Server, fetch: t.Any) -> None:
    with Server() as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        server.redirect = other.url.replace("127.0.0.1", "localhost")
        assert fetch(server.url, headers={"Authorization": "Bearer hunter2", "X-Token": "hunter2"}) == DATA
        other.shutdown()
    assert (server.seen[0]["authorization"], server.seen[0]["x-token"]) == ("Bearer hunter2", "hunter2")
    assert "hunter2" not in str(other.seen)


def test_a_proxy_is_asked_and_forgotten(server: Server, fetch: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert fetch("http://artifacts.invalid/notes", proxy=server.url) == DATA
    assert server.seen[0]["host"] == "artifacts.invalid"
    assert "http_proxy" not in os.environ


def test_a_disk_that_is_too_small_is_not_filled(server: Server, fetch: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "SPARE", 1 << 60)
    with pytest.raises(
        _files.NoSpaceError, match=r"MiB are free, wanted \d+ MiB for what .*notes.tar.gz holds and to spare; "
    ):
        fetch(server.url)
    assert len(server.seen) == 1
