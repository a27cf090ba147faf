# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import (
    Content,
    File,
    Member,
    Records,
    Settings,
    check_archive,
    environment_file,
    inner_path,
    prunable,
    release_files,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


# What Unicode calls noncharacters, and control characters other than newline and tab.
NONCHARACTERS = [
    *range(0xFDD0, 0xFDF0),
    *(plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)),
]
REFUSED = "".join(map(chr, [*range(9), *range(11, 32), 127, *NONCHARACTERS]))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=REFUSED))


def read_environment_file(text: str) -> dict[str, str]:
    """What systemd makes of an EnvironmentFile, for the part of its syntax that begins with NAME=".

    After the states of parse_env_file_internal() in systemd 252: inside double quotes a backslash is dropped before one
    of "\\`$, kept with any other character, and dropped together with a newline.
    """
    found: dict[str, str] = {}
    rest = text
    while rest:
        name, rest = rest.split('="', 1)
        value = ""
        while not rest.startswith('"'):
            if rest[0] == "\\":
                value += rest[1] if rest[1] in '"\\`$' else "" if rest[1] == "\n" else rest[:2]
                rest = rest[2:]
            else:
                value, rest = value + rest[0], rest[1:]
        assert rest.startswith('"\n'), "something follows the closing quote"
        found[name], rest = value, rest[2:]
    return found


@given(st.dictionaries(NAMES, TEXTS))
@example({"A": 'x"\nB="injected'})
@example({"A": "trailing\\", "B": "\\\n", "C": "`id` $(id) ${HOME} %h"})
def test_every_value_comes_back_from_the_environment_file(variables: dict[str, str]) -> None:
    assert read_environment_file(environment_file(variables)) == variables


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (None, ""), (8000, "8000"), (0.5, "0.5"), ("", ""), ("True", "True")],
)
def test_values_that_are_no_text(value: t.Any, text: str) -> None:
    assert environment_file({"A": value}) == f'A="{text}"\n'


def test_variables_are_sorted() -> None:
    assert environment_file({"B": 1, "A": 2}) == 'A="2"\nB="1"\n'


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "A B", "A\n", "É", "A;", "LD_PRELOAD\x00"])
def test_bad_names_of_variables_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name wants letters, digits and _"):
        environment_file({name: "x"})


# Real systemd ignores a whole file for a noncharacter, and a whole value for a control character.
@pytest.mark.parametrize("bad", ["\x00", "\x01", "\r", "\x1b", "\x7f", "\ufdd0", "\uffff", "\U0001fffe", "\ud800"])
def test_characters_that_systemd_takes_offence_at_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="environment variable KEY: its value holds") as caught:
        environment_file({"KEY": f"hunter2{bad}"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [["hunter2"], {"a": "hunter2"}, ("hunter2",)])
def test_lists_and_mappings_are_no_values(value: t.Any) -> None:
    with pytest.raises(ValueError, match=r"environment variable KEY: its value is a (list|dict|tuple)") as caught:
        environment_file({"KEY": value})
    assert "hunter2" not in str(caught.value)


def test_a_value_may_be_as_long_as_the_kernel_takes_it() -> None:
    longest = "é" * ((131071 - len("KEY=")) // 2)
    assert environment_file({"KEY": longest})
    with pytest.raises(ValueError, match="environment variable KEY: its value is longer than"):
        environment_file({"KEY": longest + "xx"})


def content(**changes: t.Any) -> Content:
    inputs: dict[str, t.Any] = {
        "environment": {"A": "1", "B": "2"},
        "files": {"app.yml": "x: 1\n", "d/b": "b"},
        "slot_environment": {"blue": {"PORT": 8001}, "green": {"PORT": 8002}},
    }
    version = changes.pop("version", "1.0.0")
    artifact = changes.pop("artifact_sha256", "0" * 64)
    unit_name, unit = changes.pop("unit_name", "notes@.service"), changes.pop("unit", "[Service]\n")
    endpoint = changes.pop("endpoint", {"ports": [{"public": 8000, "blue": 8001, "green": 8002}]})
    files = release_files(unit_name, unit, Settings(**{**inputs, **changes}))
    return Content(version, artifact, files, endpoint=endpoint)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1.0.1"},
        {"artifact_sha256": "1" * 64},
        {"unit": "[Service]\n#\n"},
        {"unit_name": "other@.service"},
        {"environment": {"A": "1", "B": "3"}},
        {"environment": {"A": "1"}},
        {"environment": {"A": "1", "B": "2", "C": ""}},
        {"environment": {"A": "2", "B": "1"}},
        {"secrets": {"C": "3"}},
        {"credentials": {"C": "3"}},
        {"credentials": {"C": "4"}},
        {"files": {"app.yml": "x: 1", "d/b": "b"}},
        {"files": {"app.yml": "x: 1\n", "d/c": "b"}},
        {"files": {"app.yml": "x: 1\n"}},
        {"slot_environment": {"blue": {"PORT": 8002}, "green": {"PORT": 8001}}},
        {"slot_environment": {"blue": {"PORT": 8001}}},
        {"endpoint": {"ports": [{"public": 8080, "blue": 8001, "green": 8002}]}},
        {"endpoint": {"ports": [{"public": 8000, "blue": 8001, "green": 8002}], "live_path": "/alive"}},
        {"endpoint": {}},
    ],
    ids=str,
)
def test_any_changed_input_gives_another_id(changes: dict[str, t.Any]) -> None:
    assert content(**changes).id != content().id


def test_a_changed_mode_gives_another_id() -> None:
    ids = {Content("1", "0" * 64, {"f": File(b"x", mode)}).id for mode in (0o600, 0o640, 0o644)}
    assert len(ids) == 3


def test_the_order_of_inputs_does_not_matter() -> None:
    other = content(
        environment={"B": "2", "A": "1"},
        files={"d/b": "b", "app.yml": "x: 1\n"},
        slot_environment={"green": {"PORT": "8002"}, "blue": {"PORT": "8001"}},
    )
    assert other.id == content().id


def test_an_id_is_version_and_digest() -> None:
    assert content().id == f"1.0.0-{content().id[-12:]}"
    assert int(content().id[-12:], 16) >= 0


@given(st.dictionaries(NAMES, st.integers() | TEXTS), st.dictionaries(NAMES, st.integers() | TEXTS))
def test_ids_are_equal_only_for_equal_environments(one: dict[str, t.Any], other: dict[str, t.Any]) -> None:
    def as_text(variables: dict[str, t.Any]) -> dict[str, str]:
        return {name: str(value) for name, value in variables.items()}

    equal = content(environment=one).id == content(environment=other).id
    assert equal == (as_text({**one, "PORT": 0}) == as_text({**other, "PORT": 0}))


def test_files_of_a_release() -> None:
    files = content().files
    assert {path: oct(file.mode) for path, file in files.items()} == {
        "notes@.service": "0o644",
        "blue/environment": "0o600",
        "blue/config/app.yml": "0o640",
        "blue/config/d/b": "0o640",
        "green/environment": "0o600",
        "green/config/app.yml": "0o640",
        "green/config/d/b": "0o640",
    }
    assert files["blue/environment"].content == b'A="1"\nB="2"\nPORT="8001"\n'
    assert files["green/environment"].content == b'A="1"\nB="2"\nPORT="8002"\n'


@pytest.mark.parametrize("body", [{"hunter2": 1}, ["hunter2"], 5, None])
def test_a_config_file_is_text(body: t.Any) -> None:
    with pytest.raises(ValueError, match=r"file 'app.json': its content is a \w+; it wants text") as caught:
        content(files={"app.json": body})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("a", "a"),
        ("a/b", "a/b"),
        ("./a", "a"),
        ("a//b", "a/b"),
        ("a/", "a"),
        ("a/../b", "b"),
        ("..a", "..a"),
        ("a\\..", "a\\.."),
    ],
)
def test_paths_that_stay_inside(path: str, inner: str) -> None:
    assert inner_path(path) == inner


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/",
        "/a",
        "//a",
        "../a",
        "a/..",
        "a/../..",
        "a/../../b",
        "./../a",
        "a/b/../../../c",
        "a\x00",
        "\x00",
    ],
)
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="leads out of its directory"):
        inner_path(path)


def test_what_differs_between_the_slots_stands_in_environment_and_files() -> None:
    made = content(
        environment={"LISTEN": "127.0.0.1:@@PORT@@", "N": 5},
        secrets={"TOKEN": "@@PORT@@"},
        credentials={"key": "@@PORT@@"},
        files={"app.toml": "port = @@PORT@@ # {{ PORT }} $PORT ${PORT} %PORT% @PORT@ @@ PORT @@ a@@b.c\n"},
    ).files
    for slot, port in (("blue", 8001), ("green", 8002)):
        variables = read_environment_file(made[f"{slot}/environment"].content.decode())
        assert variables == {"LISTEN": f"127.0.0.1:{port}", "N": "5", "PORT": str(port), "TOKEN": "@@PORT@@"}
        config = f"port = {port} # {{{{ PORT }}}} $PORT ${{PORT}} %PORT% @PORT@ @@ PORT @@ a@@b.c\n"
        assert made[f"{slot}/config/app.toml"].content.decode() == config
        assert made[f"{slot}/credentials/key"] == File(b"@@PORT@@", 0o600)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"files": {"a.toml": "@@PROT@@"}}, "file 'a.toml'"),
        ({"environment": {"A": "@@PROT@@"}}, "environment variable A"),
        ({"slot_environment": {"blue": {"PROT": 1, "PORT": 1}, "green": {"PORT": 2}}}, "file 'app.toml'"),
    ],
)
def test_a_placeholder_that_stands_for_nothing_is_refused(changes: dict[str, t.Any], where: str) -> None:
    with pytest.raises(ValueError, match=f"^{where}: @@PROT@@ stands for nothing .*; there are: @@PORT@@$"):
        content(**{"files": {"app.toml": "@@PROT@@"}, **changes})


@pytest.mark.parametrize(
    ("value", "data"), [("a\nb\x00", b"a\nb\x00"), ("", b""), (None, b""), (True, b"true"), (5, b"5")]
)
def test_a_credential_is_the_value_and_nothing_else(value: t.Any, data: bytes) -> None:
    assert content(credentials={"key": value}).files["green/credentials/key"].content == data


@pytest.mark.parametrize(
    ("credentials", "complaint"),
    [
        ({"a/b": "hunter2"}, "credential 'a/b': a name wants letters, digits and _"),
        ({"..": "hunter2"}, r"credential '\.\.': a name wants"),
        ({"key": ["hunter2"]}, "credential key: its value is a list"),
        (
            {"key": "x" * (1 << 20), "b": "hunter2"},
            "credentials: they are 1048583 bytes together; systemd takes 1048576",
        ),
    ],
)
def test_credentials_that_systemd_would_not_take_are_refused(credentials: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}") as caught:
        content(credentials=credentials)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "ways", [("environment", "secrets"), ("environment", "credentials"), ("secrets", "credentials")]
)
def test_a_name_is_given_once(ways: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^KEY: given as \w+ and as \w+; give it once$"):
        content(**{way: {"KEY": "hunter2"} for way in ways})


def files(*names: str) -> list[Member]:
    return [Member(name, "file") for name in names]


GOOD_ARCHIVES = {
    "nothing": [],
    "files": [Member("./", "directory"), Member(".", "directory"), Member("bin", "directory"), *files("./bin/x", "y")],
    "link beside": [*files("lib/x.so.1"), Member("lib/x.so", "symlink", "x.so.1")],
    "link up and down": [*files("lib/x"), Member("bin/x", "symlink", "../lib/x")],
    "link to a directory": [*files("lib/x"), Member("lib64", "symlink", "lib")],
    "link through a link": [*files("lib/x"), Member("lib64", "symlink", "lib"), Member("x", "symlink", "lib64/x")],
    "link to nothing": [Member("x", "symlink", "y")],
    "link with dots": [Member("a/x", "symlink", "./.././y")],
    "hard link": [*files("bin/x"), Member("bin/y", "hardlink", "./bin/x")],
    "a file twice": files("x", "x"),
}

EVIL_ARCHIVES = {
    "absolute": files("/etc/passwd"),
    "up": files("../x"),
    "up from below": files("a/../../x"),
    "the top itself as a file": files("."),
    "empty name": files(""),
    "NUL": files("x\x00y"),
    "device": [Member("null", "device or other special file")],
    "unknown kind": [Member("x", "")],
    "absolute link": [Member("x", "symlink", "/etc")],
    "link up": [Member("x", "symlink", "..")],
    "link to the top": [Member("a/x", "symlink", "..")],
    "link up from below": [Member("a/x", "symlink", "../../y")],
    "link down and up": [Member("x", "symlink", "a/../../y")],
    "link to nowhere": [Member("x", "symlink", "")],
    "link with NUL": [Member("x", "symlink", "a\x00")],
    "the top itself as a link": [Member(".", "symlink", "a")],
    "hard link up": [Member("x", "hardlink", "../y")],
    "absolute hard link": [Member("x", "hardlink", "/etc/passwd")],
    "hard link to nothing": [Member("x", "hardlink", "y")],
    "hard link to a directory": [Member("a", "directory"), Member("x", "hardlink", "a")],
    "hard link to a link": [Member("a/l", "symlink", "../../t"[3:]), Member("h", "hardlink", "a/l")],
    "hard link to a link that was a file": [
        *files("a/l"),
        Member("a/l", "symlink", "b"),
        Member("h", "hardlink", "a/l"),
    ],
    # As text x leads to a/b; as the kernel walks, up leads to a, and from there it is two up.
    "target through a link": [Member("a/b/c/up", "symlink", "../.."), Member("x", "symlink", "a/b/c/up/../..")],
    "name behind a link": [Member("a/b/c/up", "symlink", "../.."), Member("a/b/c/up/y", "symlink", "../../z")],
    "name behind a link that comes later": [*files("a/x"), Member("a", "symlink", "b")],
    "name behind a link, differently spelt": [Member("a", "symlink", "b"), *files(".//a/./x")],
}


@pytest.mark.parametrize("name", GOOD_ARCHIVES)
def test_good_archives(name: str) -> None:
    check_archive(GOOD_ARCHIVES[name])


@pytest.mark.parametrize("name", EVIL_ARCHIVES)
def test_evil_archives_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"the archive|leads out of its directory"):
        check_archive(EVIL_ARCHIVES[name])


PATHS = st.sampled_from(["x", "y", "a/x", "a/y", "a/b/x", "a/b/y", "x/y", "a/x/y", "a/b/x/y"])
WAYS_DOWN = st.sampled_from(["", "x", "x/y", "a/x", "a/b", "a/b/x", "a/b/x/..", "a/b/x/../..", "x/../..", "./x"])
TARGETS = st.builds(lambda up, down: "../" * up + down, st.integers(0, 2), WAYS_DOWN)
MEMBERS = st.lists(
    st.builds(Member, PATHS, st.just("symlink"), TARGETS) | st.builds(Member, PATHS, st.just("hardlink"), PATHS),
    min_size=1,
    max_size=3,
)


def walk(path: str, links: t.Mapping[str, str], hops: int = 0) -> list[str] | None:
    """Where the kernel gets when it walks the path from the top, or None if it leaves the top on its way."""
    here: list[str] = []
    steps = path.split("/")
    while steps:
        step = steps.pop(0)
        if step in ("", "."):
            continue
        if step == "..":
            if not here:
                return None
            here.pop()
            continue
        target = links.get("/".join([*here, step]))
        if target is None:
            here.append(step)
        elif (hops := hops + 1) > 40:
            return here  # ELOOP: the kernel goes nowhere
        else:
            steps = target.split("/") + steps
    return here


@settings(max_examples=500)
@given(MEMBERS)
def test_in_an_accepted_archive_no_way_leads_out(members: list[Member]) -> None:
    try:
        check_archive(members)
    except ValueError:
        return
    links = {inner_path(member.name): member.target for member in members if member.kind == "symlink"}
    # A hard link to a symbolic one is that symbolic link once more, in another place.
    hard = {inner_path(member.name): inner_path(member.target) for member in members if member.kind == "hardlink"}
    links.update({name: links[target] for name, target in hard.items() if target in links})
    for member in members:
        assert walk(member.name, links) is not None


RELEASES = st.lists(st.sampled_from([f"r{i}" for i in range(12)]), unique=True)


@given(RELEASES, st.sets(st.sampled_from([f"r{i}" for i in range(12)])), st.integers(0, 5))
def test_prunable(oldest_first: list[str], protected: set[str], keep: int) -> None:
    gone = prunable(oldest_first, protected, keep)
    left = [release for release in oldest_first if release not in gone]
    spare = [release for release in left if release not in protected]
    assert not protected.intersection(gone)
    assert len(spare) <= keep
    assert not gone or len(spare) == keep
    assert [*gone, *spare] == [release for release in oldest_first if release not in protected]


@pytest.mark.parametrize(("keep", "gone"), [(0, ["a", "c", "d"]), (1, ["a", "c"]), (2, ["a"]), (3, []), (9, [])])
def test_the_newest_stay(keep: int, gone: list[str]) -> None:
    assert prunable(["a", "b", "c", "d"], {"b", "x"}, keep) == gone


# What happens on a host, one after the other: a release is staged; one of those that are staged is started in a slot,
# and then kept or undone; undoing removes the new one.
HISTORIES = st.lists(st.tuples(st.sampled_from(["stage", "keep", "undo", "again"]), st.integers(0, 99)), max_size=40)


@settings(max_examples=1000)
@given(HISTORIES, st.integers(0, 4))
def test_whatever_happens_current_previous_and_the_last_good_one_stay(
    history: list[tuple[str, int]], keep: int
) -> None:
    host, good = Records("", "", []), [""]
    for step, (event, number) in enumerate(history):
        if event == "stage" or not host.releases:
            host = replace(host, releases=[*host.releases, f"r{step}"])
            continue
        tried = host.releases[number % len(host.releases)]
        if event == "undo":
            in_use = {host.current, host.previous}
            host = replace(host, releases=[name for name in host.releases if name != tried or name in in_use])
            continue
        if event == "again":
            tried = host.current or tried
        before = host
        # While the host settles, the old instance may still be in the other slot.
        host = host.settled_on(tried, {tried, before.current}, keep)
        if good[-1] != tried:
            good.append(tried)
        there = {name for name in (host.current, host.previous) if name}
        assert host.current == good[-1]
        assert host.previous == good[-2]
        assert there <= set(host.releases), "what one may go back to is there"
        spare = [name for name in host.releases if name not in there]
        assert len(spare) <= keep
        candidates = [name for name in before.releases if name not in there]
        assert spare == candidates[len(candidates) - len(spare) :], "the newest of the rest"
        assert list(host.releases) == [name for name in before.releases if name in host.releases], "in their order"
