# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._placeholders import PLACEHOLDER, fill
from hypothesis import given
from hypothesis import strategies as st

# Whatever other languages make of it, it is nobody's placeholder but ours.
FOREIGN = [
    "{{ PORT }}",
    "${PORT}",
    "$PORT",
    "%PORT%",
    "%i",
    "@PORT@",
    "@@ PORT @@",
    "@@@@",
    "me@@example.org",
    "@@-1 +1@@",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_nothing_else_is_touched(text: str) -> None:
    assert fill(text, {"PORT": 1}, "here") == text


def test_values_are_filled_in() -> None:
    assert fill("a @@PORT@@@@M_2@@ b", {"PORT": 8001, "M_2": "x"}, "here") == "a 8001x b"


def test_values_are_not_looked_through() -> None:
    assert fill("@@A@@", {"A": "@@B@@", "B": "x"}, "here") == "@@B@@"


@pytest.mark.parametrize(("values", "there"), [({}, "none"), ({"B": 1, "A": 2}, "@@A@@, @@B@@")])
def test_an_unknown_one_is_refused(values: dict[str, int], there: str) -> None:
    with pytest.raises(ValueError, match=f"^file x: @@PROT@@ stands for nothing .*; there are: {there}$"):
        fill("... @@PROT@@", values, "file x")


@given(st.text("@AB {", max_size=20))
def test_a_text_without_placeholders_stays_as_it_is(text: str) -> None:
    if not PLACEHOLDER.search(text):
        assert fill(text, {}, "here") == text
