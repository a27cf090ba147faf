"""What a visitor of a balancer sees. The balancer's address and authority come by the environment."""

from __future__ import annotations

import concurrent.futures
import gzip
import http.client
import json
import os
import socket
import ssl
from pathlib import Path

import pytest

ADDRESS = os.environ["EDGE_ADDRESS"]
AUTHORITY = os.environ["EDGE_AUTHORITY"]
GIVEN = os.environ["EDGE_GIVEN"]
REQUEST_ID = os.environ["EDGE_REQUEST_ID"]
CLIENT = Path(__file__).resolve().parents[3] / ".cache/artifacts/strict_client"


def ask(
    host: str, path: str = "/version", method: str = "GET", body: str | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(ADDRESS, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body, headers={"Host": host, **named})
    answer = connection.getresponse()
    return answer, answer.read()


# Of HTTP/2, as much as it takes to ask.
HEADERS, RST_STREAM, SETTINGS, GOAWAY = 1, 3, 4, 7
STATUS_200 = b"\x88"


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


def tls(host: str, authority: str = AUTHORITY, *protocols: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(protocols or ("h2", "http/1.1"))
    return context.wrap_socket(socket.create_connection((ADDRESS, 443), timeout=10), server_hostname=host)


def test_a_request_id_of_the_client_is_kept() -> None:
    answer, body = ask(
        "notes.test",
        "/notes",
        "POST",
        json.dumps({"text": "x"}),
        Content_Type="application/json",
        X_Request_ID=REQUEST_ID,
    )
    assert answer.status == 201, body
    assert answer.headers.get_all("X-Request-ID") == [REQUEST_ID]


@pytest.mark.parametrize("made_up", ["short", "x" * 65, "{{7*7}}-and-more", 'a"b"c"d"e"f'])
def test_a_strange_request_id_is_replaced(made_up: str) -> None:
    answer, _body = ask("notes.test", X_Request_ID=made_up)
    (seen,) = answer.headers.get_all("X-Request-ID") or []
    assert seen != made_up
    assert len(seen) == 32


def test_ordinary_traffic_is_not_held_back() -> None:
    answer, _body = ask("notes.test", "/notes", "POST", json.dumps({"text": "x" * 2048}), Cookie="a=" + "b" * 1536)
    assert answer.status == 201
    with concurrent.futures.ThreadPoolExecutor(60) as many:
        assert {
            answer.status for answer, _body in many.map(lambda _number: ask("notes.test", "/sleep?ms=200"), range(60))
        } == {200}


def test_bodies_have_a_limit() -> None:
    answer, _body = ask("notes.test", "/notes", "POST", "x", Content_Length=str(11 << 20))
    assert answer.status == 413
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_who_asks_too_often_is_told_so_and_health_checks_never_are() -> None:
    seen = [ask("limited.test") for _ask in range(12)]
    statuses = [answer.status for answer, _body in seen]
    assert statuses[:5] == [200] * 5
    assert set(statuses[5:]) == {200, 429} or set(statuses[5:]) == {429}
    assert [answer.headers["Retry-After"] for answer, _body in seen if answer.status == 429].count(
        "1"
    ) == statuses.count(429)
    assert {ask("limited.test", "/health")[0].status for _ask in range(20)} == {200}


def test_who_asks_too_often_for_a_page_without_a_service_is_told_so() -> None:
    # Some views have no file of their own, and are the page all the same.
    statuses = [ask("files.test", "/some/view")[0].status for _ask in range(12)]
    assert statuses[:5] == [200] * 5
    assert 429 in statuses[5:]


def test_too_many_at_a_time_are_told_so() -> None:
    with concurrent.futures.ThreadPoolExecutor(30) as many:
        answers = list(many.map(lambda _number: ask("crowded.test", "/sleep?ms=500"), range(30)))
    statuses = [answer.status for answer, _body in answers]
    assert statuses.count(200) >= 10
    assert set(statuses) == {200, 429}


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics/process", "//metrics", "/metrics%2Fprocess"])
def test_metrics_are_not_public(path: str) -> None:
    answer, _body = ask("notes.test", path)
    # The service answers 404 as well, but names its instance.
    assert (answer.status, answer.headers["X-Instance"]) == (404, None)


def test_an_unknown_host_is_dropped() -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        ask("unknown.test")


def test_an_unknown_host_gets_no_certificate() -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        tls("unknown.test")


def test_an_unknown_host_is_dropped_that_comes_by_the_name_of_a_site() -> None:
    connection = http.client.HTTPSConnection(ADDRESS, timeout=10)
    connection.sock = tls("secure.test", AUTHORITY, "http/1.1")
    connection.request("GET", "/", headers={"Host": "unknown.test"})
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()


@pytest.mark.parametrize(("host", "answered"), [("secure.test", True), ("unknown.test", False)])
def test_so_it_is_with_http2(host: str, answered: bool) -> None:
    # GET, https, / and the host, by their numbers in the static table of HPACK; then the request is complete.
    asked = b"\x82\x87\x84\x01" + bytes([len(host)]) + host.encode()
    with tls("secure.test", AUTHORITY, "h2") as connection, connection.makefile("rwb") as stream:
        stream.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 5, 1, asked))
        stream.flush()
        kind, content = SETTINGS, b""
        while kind not in (HEADERS, RST_STREAM, GOAWAY) and (head := stream.read(9)):
            kind, content = head[3], stream.read(int.from_bytes(head[:3]))
    # Some versions of nginx answer 421 to what was sent to the wrong server.
    assert (kind == HEADERS and content.startswith(STATUS_200)) == answered


@pytest.mark.parametrize("path", ["/", "/index.html", "/somewhere"])
def test_what_a_front_end_lacks_is_not_found(path: str) -> None:
    assert ask("bare.test", path)[0].status == 404


def test_strict_headers() -> None:
    answer, _body = ask("strict.test")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "geolocation=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["X-Instance"] is None


def test_a_header_means_itself_whatever_is_in_it() -> None:
    assert ask("strict.test")[0].headers["X-Motto"] == 'it\'s "5$"; ${host} $host \\ {}#'


def test_plain_headers_leave_room_for_the_service() -> None:
    answer, _body = ask("notes.test")
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "Content-Security-Policy" not in answer.headers
    assert "Strict-Transport-Security" not in answer.headers


def test_websockets() -> None:
    report = Path(AUTHORITY).with_suffix(".json")
    command = (
        f"{CLIENT} --url http://{ADDRESS} --header 'Host: strict.test' --connections 0 --websockets 4 --duration 2s"
    )
    assert os.system(f"{command} --report {report}") == 0
    seen = json.loads(report.read_text())["websockets"]
    assert seen["opened"] == 4
    assert seen["echoes"] >= 8
    assert seen["failed"] == 0


def test_visitors_without_tls_are_sent_to_it() -> None:
    answer, _body = ask("secure.test", "/a?b=c")
    assert (answer.status, answer.headers["Location"]) == (308, "https://secure.test/a?b=c")


@pytest.mark.parametrize("host", ["secure.test", "www.secure.test"])
def test_tls(host: str) -> None:
    with tls(host) as connection:
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "h2"


def test_browsers_are_to_insist_on_tls_where_an_issuer_has_signed() -> None:
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # By an issuer for tests, whom nobody else knows.
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(ADDRESS, timeout=10)
    plain = socket.create_connection((ADDRESS, 443), timeout=10)
    connection.sock = trust.wrap_socket(plain, server_hostname="issued.test")
    connection.request("GET", "/version", headers={"Host": "issued.test"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=63072000")


def test_a_front_end_beside_the_service() -> None:
    page, body = ask("front.test", "/")
    assert (page.status, body) == (200, b"release 1\n")
    assert page.headers["Cache-Control"] == "no-cache"
    assert ask("front.test", "/some/view")[1] == b"release 1\n"
    script, body = ask("front.test", "/assets/app-1.js", Accept_Encoding="gzip")
    assert script.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).startswith(b"/* script 1 1 */")
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    missing, _body = ask("front.test", "/assets/app-9.js")
    assert (missing.status, missing.headers["Cache-Control"]) == (404, None)
    assert ask("front.test", "/version")[0].headers["Cache-Control"] is None
    assert json.loads(ask("front.test", "/version")[1])["host"] == "app1"


def ask_given(path: str, method: str = "GET", body: str | None = None, **headers: str) -> http.client.HTTPResponse:
    """Of the site whose certificate was given, and that has sizes and timeouts of its own."""
    connection = http.client.HTTPSConnection(ADDRESS, timeout=10)
    connection.sock = tls("given.test", GIVEN, "http/1.1")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body, headers={"Host": "given.test", **named})
    return connection.getresponse()


def test_a_certificate_that_was_given_is_shown() -> None:
    # Nobody but it has signed it, so who trusts it alone sees it and no other.
    assert ask_given("/version").status == 200
    with pytest.raises(ssl.SSLError):
        tls("given.test")


def test_a_site_has_sizes_and_timeouts_of_its_own() -> None:
    assert [ask_given("/notes", "POST", "x" * size).status for size in (1000, 1100)] == [201, 413]
    assert ask("notes.test", "/notes", "POST", "x" * 1100)[0].status == 201
    assert ask_given("/sleep?ms=3000").status == 504
    assert ask("notes.test", "/sleep?ms=3000")[0].status == 200


def test_answers_of_a_service_are_compressed_where_the_site_says_so() -> None:
    ask("notes.test", "/notes", "POST", "x" * 2048)
    answer = ask_given("/notes", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "x" * 2048 in gzip.decompress(answer.read()).decode()
    assert ask("notes.test", "/notes", Accept_Encoding="gzip")[0].headers["Content-Encoding"] is None


def test_whoever_looks_after_the_service_is_answered() -> None:
    # And is not in the log, as the play sees that has called this.
    assert ask("notes.test", "/health", X_Request_ID=f"{REQUEST_ID}-health")[0].status == 200
