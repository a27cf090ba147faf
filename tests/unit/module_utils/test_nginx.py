# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._nginx import nginx_string
from hypothesis import given
from hypothesis import strategies as st
from read_back import nginx as words
from read_back import nginx_evaluated as evaluated


def test_the_reader_itself() -> None:
    assert words('a "b c" \'d"\' e\\ f; # g\n}') == ["a", "b c", 'd"', "e\\ f", ";", "}"]
    assert words('x "\\"\\\\"{') == ["x", '"\\', "{"]
    assert evaluated("$a ${b} ${evenkeel_dollar}c") == "<variable> <variable> $c"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_a_text_is_one_word_that_means_itself(text: str) -> None:
    found = words(f"add_header X {nginx_string(text)} always; after")
    assert [*found[:2], evaluated(found[2]), *found[3:]] == ["add_header", "X", text, "always", ";", "after"]


@pytest.mark.parametrize(
    "text", ['"; return 200 "x', "$http_cookie", "${host}", "\\", '\\"', "a{b}c;#d", "\\$host", "$evenkeel_dollar"]
)
def test_texts_that_would_break_out(text: str) -> None:
    assert evaluated(words(nginx_string(text))[0]) == text


@pytest.mark.parametrize("text", ["a\nb", "\r", "\x00", "\x7f", "\u2028", "\ud800"])
def test_control_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it wants one line of text"):
        nginx_string(text)
