# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters themselves are thin; what they stand for is tested in module_utils."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.filter import addresses, exec_words, to_unit

FILTERS: dict[str, t.Callable[..., t.Any]] = {
    name: function
    for plugin in (addresses, exec_words, to_unit)
    for name, function in plugin.FilterModule().filters().items()
}


def test_addresses() -> None:
    hostvars = {"a": {"ansible_host": "192.0.2.1"}}
    assert FILTERS["addresses"](["app"], {"app": ["a"]}, hostvars) == ["192.0.2.1"]


def test_exec_words() -> None:
    assert FILTERS["exec_words"](["serve", "100%"]) == "serve 100%%"


def test_to_unit() -> None:
    assert FILTERS["to_unit"]({"Service": {"User": "notes"}}) == "[Service]\nUser=notes\n"


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("addresses", (["nobody"], {}, {}), "nobody is neither a group nor a host"),
        ("exec_words", (["a\nb"],), "exec_words: "),
        ("to_unit", ({"Service": {"User": "a\nb"}},), "to_unit: User: "),
    ],
)
def test_errors_are_ansibles_own(name: str, arguments: tuple[t.Any, ...], complaint: str) -> None:
    with pytest.raises(AnsibleFilterError, match=complaint) as caught:
        FILTERS[name](*arguments)
    assert isinstance(caught.value, AnsibleError)
