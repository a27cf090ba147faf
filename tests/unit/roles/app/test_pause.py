# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""For how long balancers leave out a host that was closed, as its service sees it."""

from __future__ import annotations

import typing as t

import pytest
from rendering import Role

NGINX = Role("nginx")


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"nginx_fail_timeout": "45s"}, 45),
        ({"nginx_fail_timeout": "2m"}, 120),
        ({"nginx_fail_timeout": "1h"}, 3600),
        ({"nginx_fail_timeout": "1d"}, 86400),
        ({"nginx_fail_timeout": "45"}, 45),
        ({"nginx_fail_timeout": 45}, 45),
        # What an inventory leaves to the role is no variable of the host.
        ({}, int(NGINX.variables["nginx_fail_timeout"].removesuffix("s"))),
    ],
)
def test_a_balancer_leaves_out_what_failed(told: dict[str, t.Any], seconds: int) -> None:
    found = Role("app").evaluate("__app_fail_seconds", __app_balancer="lb1", hostvars={"lb1": told})
    assert int(found) == seconds


def test_the_pause_outlasts_that_by_default() -> None:
    role = Role("app")
    assert role.variables["app_in_place_pause"] >= int(
        role.evaluate("__app_fail_seconds", __app_balancer="lb1", hostvars={"lb1": {}})
    )
