# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whoever waits for somebody gives up before that one is gone, so that no timeout cuts what another one allows."""

from __future__ import annotations

import re

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._settings import long_durations
from rendering import Role

SITE = {"name": "notes", "server_names": ["notes.test"], "hosts": ["app"], "port": 8000}
NGINX = Role("nginx")


def seconds(span: str) -> int:
    return sum(int(number) for number in re.findall(r"(\d+)s", span))


def test_the_defaults_are_in_order() -> None:
    (site,) = NGINX.evaluate("__nginx_sites", nginx_sites=[SITE])
    answer = max(seconds(site[f"{phase}_timeout"]) for phase in ("connect", "send", "read"))
    old_worker = seconds(NGINX.variables["nginx_shutdown_timeout"])
    nginx = seconds(NGINX.evaluate("__nginx_unit")["Service"]["TimeoutStopSec"])
    instance = int(Role("app").evaluate("__app_unit", app_name="notes", app_port=8000)["Service"]["TimeoutStopSec"])
    assert answer < old_worker < nginx < instance


@pytest.mark.parametrize("phase", ["connect", "send", "read"])
def test_what_a_reload_would_cut_is_refused(phase: str) -> None:
    settings = {**NGINX.variables, "nginx_sites": [SITE]}
    shorter = NGINX.variables["__nginx_shorter"]
    assert long_durations(settings, shorter) == []
    slow = {**settings, "nginx_sites": [{**SITE, f"{phase}_timeout": "5m"}]}
    (problem,) = long_durations(slow, shorter)
    assert problem.startswith(f"nginx_sites[0].{phase}_timeout is 5m and nginx_shutdown_timeout is 65s")
    assert long_durations({**slow, "nginx_shutdown_timeout": "6m"}, shorter) == []
    assert len(long_durations({**settings, f"nginx_proxy_{phase}_timeout": "65s"}, shorter)) == 1
