# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a site has of its own reaches its own part of the configuration, and no other."""

from __future__ import annotations

import typing as t

import pytest
import read_back
from rendering import Role

PLAIN = {"name": "plain", "server_names": ["plain.test"], "hosts": ["app"], "port": 8000}
OWN = {**PLAIN, "name": "own", "server_names": ["own.test"]}


def directives(host: str, **settings: t.Any) -> list[list[str]]:
    """Those of the servers of a host name."""
    text = Role("nginx").evaluate("__nginx_files", nginx_sites=[PLAIN, {**OWN, **settings}])["nginx.conf"]
    servers: list[list[list[str]]] = []
    line: list[str] = []
    for word in read_back.nginx(text):
        if word in ("{", "}", ";"):
            if word == "{" and line == ["server"]:
                servers.append([])
            elif line and servers:
                servers[-1].append(line)
            line = []
        else:
            line.append(word)
    return [each for server in servers if ["server_name", host] in server for each in server]


@pytest.mark.parametrize(
    ("settings", "own", "plain"),
    [
        ({"max_body_size": "1k"}, ["client_max_body_size", "1k"], ["client_max_body_size", "10m"]),
        ({"connect_timeout": "1s"}, ["proxy_connect_timeout", "1s"], ["proxy_connect_timeout", "5s"]),
        ({"send_timeout": "7s"}, ["proxy_send_timeout", "7s"], ["proxy_send_timeout", "60s"]),
        ({"read_timeout": "8s"}, ["proxy_read_timeout", "8s"], ["proxy_read_timeout", "60s"]),
        ({"read_timeout": "8s"}, ["proxy_next_upstream_timeout", "8s"], ["proxy_next_upstream_timeout", "60s"]),
        ({"compress": True}, ["gzip", "on"], ["gzip", "off"]),
    ],
)
def test_a_site_has_its_own(settings: dict[str, t.Any], own: list[str], plain: list[str]) -> None:
    mine, other = directives("own.test", **settings), directives("plain.test", **settings)
    assert own in mine
    assert plain not in mine
    assert plain in other
    assert own not in other


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"tls": "files"}, "max-age=63072000"),
        ({"tls": "acme", "hsts_seconds": 60}, "max-age=60"),
        ({"tls": "acme", "strict_headers": True}, "max-age=63072000; includeSubDomains"),
        ({"tls": "acme", "hsts_seconds": 0}, ""),
        # A browser that insisted would let nobody past a certificate that it does not trust.
        ({"tls": "self_signed", "strict_headers": True}, ""),
        ({}, ""),
    ],
)
def test_browsers_insist_on_tls_for_as_long_as_the_site_says(settings: dict[str, t.Any], header: str) -> None:
    name = "Strict-Transport-Security"
    found = [line[2] for line in directives("own.test", **settings) if line[:2] == ["add_header", name]]
    assert found == ([header] if header else [])


LIMITS = [["limit_req", "zone=own_requests", "burst=4", "nodelay"], ["limit_conn", "own_connections", "2"]]
FRONT = {"static_root": "/srv/own/current", "immutable_paths": ["/assets/"]}


@pytest.mark.parametrize(
    ("settings", "limited"),
    [
        ({}, ["/"]),
        ({"hosts": []} | FRONT, ["^~ /assets/", "/"]),
        ({"proxy_paths": ["/api/"]} | FRONT, ["/api/", "^~ /assets/", "/"]),
    ],
)
def test_limits_hold_for_whatever_the_site_serves(settings: dict[str, t.Any], limited: list[str]) -> None:
    lines = directives("own.test", request_rate=1, request_burst=4, connections=2, **settings)
    ats = [at for at, line in enumerate(lines) if line[0] == "location"]
    parts = {" ".join(lines[at][1:]): lines[at:end] for at, end in zip(ats, [*ats[1:], None], strict=True)}
    assert [path for path, part in parts.items() if all(limit in part for limit in LIMITS)] == limited
    assert sum(line in LIMITS for line in lines) == len(LIMITS) * len(limited)


def test_the_health_of_the_service_is_asked_for_without_a_word_in_the_log() -> None:
    lines = directives("own.test", health_path="/healthz", request_rate=1, connections=1)
    at = lines.index(["location", "=", "/healthz"])
    assert lines[at + 1 : at + 3] == [["access_log", "off"], ["proxy_pass", "http://own"]]
