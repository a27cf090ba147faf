# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which paths nobody reaches, and what is told of certificates, those that are gone included."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _openssl
from rendering import Role

SITE = {"name": "notes", "server_names": ["notes.test"], "hosts": ["app"], "port": 8000}


@pytest.mark.parametrize(
    ("private", "closed"),
    [
        (["/metrics"], ["= /metrics", "^~ /metrics/"]),
        (["/metrics", "/metrics/"], ["= /metrics", "= /metrics/", "^~ /metrics/"]),
        # Below the root is everything.
        (["/"], ["= /"]),
    ],
)
def test_nothing_below_a_private_path_is_reached(private: list[str], closed: list[str]) -> None:
    text = Role("nginx").evaluate("__nginx_files", nginx_sites=[{**SITE, "private_paths": private}])["nginx.conf"]
    site = text.partition("server_name notes.test;")[2]
    assert re.findall(r"location (.*) \{\s*return 404;", site) == closed


def test_what_expires_is_told_until_it_is_gone(tmp_path: Path) -> None:
    # With no site that has TLS the program is there as well, or the last date would be told for ever.
    text = Role("nginx").evaluate("__nginx_files", nginx_sites=[], nginx_metrics_directory=str(tmp_path))["expiry"]
    program = tmp_path / "expiry"
    program.write_text(text.replace("/etc/nginx/tls", str(tmp_path)))
    metrics, pem = tmp_path / "evenkeel_certificates.prom", tmp_path / "notes.pem"

    def tells_of_a_change() -> bool:
        return bool(subprocess.run(["sh", str(program)], check=True, stdout=subprocess.PIPE).stdout)

    pem.write_text(_openssl.make_authority("somebody")[0])
    assert tells_of_a_change()
    expires = _openssl.certificate(pem.read_text()).expires
    assert f'_timestamp_seconds{{site="notes"}} {expires}\n' in metrics.read_text()
    assert not tells_of_a_change()

    metrics.write_text("what was told before\n")
    assert tells_of_a_change()
    assert f'{{site="notes"}} {expires}\n' in metrics.read_text()

    pem.unlink()
    assert tells_of_a_change()
    assert not metrics.exists()
    assert not tells_of_a_change()
