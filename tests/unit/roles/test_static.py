# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which release of a front end hosts go back to."""

from __future__ import annotations

import pytest
from rendering import Role


@pytest.mark.parametrize(
    ("links", "found"),
    [
        (["releases/1.0.0-aa", "/srv/shop/releases/1.0.0-aa"], ["1.0.0-aa"]),
        (["releases/2.0.0-bb", "releases/1.0.0-aa"], ["1.0.0-aa", "2.0.0-bb"]),
    ],
)
def test_the_releases_that_hosts_would_go_back_to(links: list[str], found: list[str]) -> None:
    hosts = {f"lb{i}": {"__static_link": {"stat": {"lnk_target": link}}} for i, link in enumerate(links)}
    role = Role("static")
    assert role.evaluate("__static_previous_ids", hostvars=hosts, ansible_play_hosts=list(hosts)) == found
