# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._packages import missing

SAID = "nginx installed\nredis config-files\nopenssl half-configured\nlibssl3 installed\n"


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        (["nginx"], []),
        (["nginx", "libssl3"], []),
        (["redis", "nginx", "unheard-of", "openssl"], ["redis", "unheard-of", "openssl"]),
        ([], []),
    ],
)
def test_what_is_not_installed_is_missing(wanted: list[str], lacking: list[str]) -> None:
    assert missing(wanted, SAID) == lacking


@pytest.mark.parametrize("name", ["", "-y", "a b", "nginx=1.2", "x;reboot", "Nginx", "nginx\n", "a"])
def test_what_is_no_name_of_a_package_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a Debian package"):
        missing(["nginx", name], SAID)
