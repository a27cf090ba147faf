# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import exec_words, unit_text
from hypothesis import example, given
from hypothesis import strategies as st

# Each of these reached a program word by word under systemd 252 (Debian 12) and 257 (Debian 13).
QUOTED = {
    "plain": "plain",
    "--port=80": "--port=80",
    "/a/b.c_d@e:f,g+h": "/a/b.c_d@e:f,g+h",
    "": '""',
    "two words": '"two words"',
    " start": '" start"',
    "end ": '"end "',
    "100% yours": '"100%% yours"',
    "%i": "%%i",
    "$HOME": '"$$HOME"',
    "${HOME}": '"$${HOME}"',
    "$": '"$$"',
    "$(id)": '"$$(id)"',
    "`id`": '"`id`"',
    "a\\b": '"a\\\\b"',
    "\\n": '"\\\\n"',
    "\\x41": '"\\\\x41"',
    "trailing\\": '"trailing\\\\"',
    'say "hi"': '"say \\"hi\\""',
    "it's": '"it\'s"',
    '"': '"\\""',
    ";": '";"',
    "\\;": '"\\\\;"',
    "a;b": '"a;b"',
    "#c": '"#c"',
    "*": '"*"',
    "{a,b}": '"{a,b}"',
    ">": '">"',
    "grüße": '"grüße"',
    "\u00a0": '"\u00a0"',
    "\u202e": '"\u202e"',
    "\x85": '"\x85"',
}


@pytest.mark.parametrize(("word", "quoted"), QUOTED.items(), ids=map(ascii, QUOTED))
def test_exec_words(word: str, quoted: str) -> None:
    assert exec_words([word]) == quoted


def test_words_stand_side_by_side() -> None:
    assert exec_words(["serve", "--motd", "100% yours", 8000]) == 'serve --motd "100%% yours" 8000'
    assert exec_words([]) == ""


# To systemd the last two are not UTF-8, and a unit without ExecStart would be what is left.
@pytest.mark.parametrize("bad", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\ufdd0", "\U0010ffff", "\udc80"], ids=ascii)
def test_words_that_would_not_arrive_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="a word of a command holds a control character"):
        exec_words(["ok", f"a{bad}b"])


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("@@PORT@@", "${PORT}"),
        ("--listen=127.0.0.1:@@PORT@@", "--listen=127.0.0.1:${PORT}"),
        ("@@PORT@@ and $PORT @@METRICS@@%", '"${PORT} and $$PORT ${METRICS}%%"'),
        ("@@ PORT@@", '"@@ PORT@@"'),
    ],
)
def test_a_placeholder_becomes_the_variable(word: str, quoted: str) -> None:
    assert exec_words([word], ["PORT", "METRICS"]) == quoted


def test_a_placeholder_that_stands_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"word '@@HOME@@' of the command: @@HOME@@ stands for nothing .* @@PORT@@$"):
        exec_words(["@@HOME@@"], ["PORT"])


def read_words(line: str) -> list[str]:
    """What systemd makes of a command line, for the part of its syntax that exec_words uses."""
    words = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        word = plain or re.sub(r"\\(.)", r"\1", quoted)
        assert not re.search(r"(?<!%)(%%)*%(?!%)", word), "a specifier is left"
        assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word), "a variable is left"
        words.append(word.replace("%%", "%").replace("$$", "$"))
    return words


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_characters="\x7f"))


@given(st.lists(PRINTABLE))
def test_every_word_comes_back(words: list[str]) -> None:
    assert read_words(exec_words(words)) == words


def test_unit_text() -> None:
    sections = {
        "Unit": {"Description": "notes in slot %i", "After": None},
        "Service": {
            "NoNewPrivileges": True,
            "PrivateUsers": False,
            "LimitCORE": 0,
            "CapabilityBoundingSet": "",
            "SystemCallFilter": ["@system-service", "~@privileged"],
            "BindPaths": [],
        },
        "Install": {},
    }
    assert unit_text(sections) == (
        "[Unit]\n"
        "Description=notes in slot %i\n"
        "\n"
        "[Service]\n"
        "NoNewPrivileges=true\n"
        "PrivateUsers=false\n"
        "LimitCORE=0\n"
        "CapabilityBoundingSet=\n"
        "SystemCallFilter=@system-service\n"
        "SystemCallFilter=~@privileged\n"
        "\n"
        "[Install]\n"
    )


@pytest.mark.parametrize("name", ["", "A B", "A=B", "A\n", "[A]", "A]", "É", "1A", "A_B", "A\nExecStart"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a unit's section or directive"):
        unit_text({"Service": {name: "x"}})
    with pytest.raises(ValueError, match="is no name of a unit's section or directive"):
        unit_text({name: {}})


@pytest.mark.parametrize("value", ["a\nExecStartPre=/bin/evil", "a\r", "a\x00", "a\\", "\\", "a\uffff", ["ok", "a\n"]])
def test_values_that_would_not_stay_on_their_line_are_refused(value: t.Any) -> None:
    with pytest.raises(ValueError, match=r"^Environment: .* does not stay on its line"):
        unit_text({"Service": {"Environment": value}})


@pytest.mark.parametrize("value", [{"a": 1}, [None], [["a"]], [{}]])
def test_only_single_values_make_a_line(value: t.Any) -> None:
    with pytest.raises(ValueError, match=r"^Environment: .* is no single value"):
        unit_text({"Service": {"Environment": value}})


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.dictionaries(st.sampled_from(["A", "B", "C-D"]) | st.text(), ANYTHING | st.lists(ANYTHING)))
@example({"A": "x\u2028y\x85z"})
def test_no_value_adds_a_line(directives: dict[str, t.Any]) -> None:
    try:
        text = unit_text({"Service": directives})
    except ValueError:
        return
    entries = [
        f"{name}="
        for name, value in directives.items()
        for _entry in (value if isinstance(value, list) else [] if value is None else [value])
    ]
    lines = text.split("\n")
    assert (lines[0], lines[-1]) == ("[Service]", "")
    assert len(lines) == len(entries) + 2
    assert all(line.startswith(entry) for line, entry in zip(lines[1:-1], entries, strict=True))
    assert not re.search(r"[\x00-\x09\x0b-\x1f]|\\\n", text)
