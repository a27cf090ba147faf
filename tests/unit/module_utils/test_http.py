# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._http import Request, Tls, ask

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
NAME = "notes.example.com"


def https(server: t.Any, tls: Tls, timeout: float = 5) -> Request:
    return Request(f"https://127.0.0.1:{server.port}/ready?token=s3cret", timeout=timeout, tls=tls)


def test_messages_leave_out_the_query() -> None:
    assert Request("https://127.0.0.1:1/ready?token=s3cret").name == "GET https://127.0.0.1:1/ready"
    assert Request("http://[::1]:1").name == "GET http://[::1]:1/"


def test_tls_with_a_name_of_its_own(serve: t.Any, tls: t.Any, certificate: Path) -> None:
    server = serve(lambda: [OK], tls)
    reply = ask(https(server, Tls(ca_path=str(certificate), server_name=NAME)))
    assert (reply.status, reply.body) == (200, "fine")
    assert 0 < reply.seconds < 5
    assert server.requests[0].startswith(b"GET /ready?token=s3cret HTTP/1.1\r\n")


def test_tls_that_trusts_anybody(serve: t.Any, tls: t.Any) -> None:
    assert ask(https(serve(lambda: [OK], tls), Tls(validate_certs=False))).status == 200


@pytest.mark.parametrize(
    ("trusts", "name", "complaint"),
    [
        (False, NAME, "self-signed certificate"),
        (True, None, "IP address mismatch"),
        (True, "a.example.com", "Hostname"),
    ],
)
def test_a_certificate_that_proves_nothing(
    serve: t.Any, tls: t.Any, certificate: Path, trusts: bool, name: str | None, complaint: str
) -> None:
    server = serve(lambda: [OK], tls)
    with pytest.raises(OSError, match=f"^failed: .*{complaint}"):
        ask(https(server, Tls(ca_path=str(certificate) if trusts else None, server_name=name)))


def test_no_tls_on_the_other_side(serve: t.Any) -> None:
    with pytest.raises(OSError, match=r"^failed: "):
        ask(https(serve(lambda: [OK]), Tls()))


def test_a_handshake_that_hangs_ends_in_time(serve: t.Any) -> None:
    with pytest.raises(TimeoutError, match=r"gave no whole answer within 0.3 s"):
        ask(https(serve(lambda: [b""] * 100), Tls(), timeout=0.3))
