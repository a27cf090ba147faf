# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._sysctl import normal, path, text


def test_text_is_sorted() -> None:
    assert text({"vm.swappiness": 10, "kernel.dmesg_restrict": True}) == (
        "# Written by evenkeel.fleet.\nkernel.dmesg_restrict = 1\nvm.swappiness = 10\n"
    )


@pytest.mark.parametrize(
    ("value", "shown"), [("4096\t131072  6291456\n", "4096 131072 6291456"), (False, "0"), (1, "1"), ("a b", "a b")]
)
def test_normal(value: t.Any, shown: str) -> None:
    assert normal(value) == shown


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("net.core.somaxconn", "net/core/somaxconn"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_path(name: str, place: str) -> None:
    assert path(name) == place


@pytest.mark.parametrize("name", ["", "vm", "../etc/passwd", "vm..x", "vm.x\n", "vm.x y", "/vm.x", "vm.../../x"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a kernel setting"):
        path(name)


@pytest.mark.parametrize("value", ["", "\x00", "é"])
def test_what_would_not_stay_on_its_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"kernel.x is .*; it wants one line"):
        text({"kernel.x": value})
