# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._nginx import nginx_string
from hypothesis import given
from hypothesis import strategies as st

ESCAPES = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}


def words(text: str) -> list[str]:
    """The words of a configuration as ngx_conf_read_token splits it: words, and the marks ; { } between them."""
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t\r\n":
            at += 1
        elif char in ";{}":
            found.append(char)
            at += 1
        elif char == "#":
            at = (text.find("\n", at) + 1) or len(text)
        else:
            quote = char if char in "\"'" else ""
            at += len(quote)
            word = ""
            while at < len(text):
                char = text[at]
                if char == "\\" and at + 1 < len(text):
                    word += ESCAPES.get(text[at + 1], "\\" + text[at + 1])
                    at += 2
                elif quote and char == quote:
                    at += 1
                    assert at == len(text) or text[at] in " \t\r\n;{)", "nginx wants a space after a quoted word"
                    break
                elif not quote and (char in " \t\r\n;" or (char == "{" and text[at - 1] != "$")):
                    break
                else:
                    word += char
                    at += 1
            found.append(word)
    return found


def evaluated(word: str) -> str:
    """What nginx makes of the variables in a word: ours stands for a dollar sign, others for something else."""
    return re.sub(r"\$\{(\w*)\}|\$(\w*)", lambda m: "$" if m[1] == "evenkeel_dollar" else "<variable>", word)


def test_the_oracle_itself() -> None:
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
