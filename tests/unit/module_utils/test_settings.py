# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._settings import (
    HIDDEN,
    bad_units,
    long_durations,
    malformed_values,
    misshapen_values,
    missing_choices,
    select,
    show,
    unknown_hosts,
    unknown_keys,
    unknown_names,
    unknown_peers,
)


def test_unknown_names_come_with_a_suggestion() -> None:
    problems = unknown_names(["app_prot", "app_name", "app_zzzzzz"], ["app_port", "app_name"])
    assert problems == [
        "app_prot is not a setting of this role; did you mean app_port?",
        "app_zzzzzz is not a setting of this role; known are: app_name, app_port",
    ]
    assert unknown_names(["app_name"], ["app_name", "app_port"]) == []


SETTINGS = {
    "x": [{"name": "a", "tags": ["p", "q"]}, {"name": None}, {"other": 1}],
    "m": {"k1": 1, "k2": {"port": 80}},
    "s": "text",
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("s", [("s", "text")]),
        ("x[].name", [("x[0].name", "a")]),
        ("x[].tags[]", [("x[0].tags[0]", "p"), ("x[0].tags[1]", "q")]),
        ("m.k1", [("m.k1", 1)]),
        ("m.*", [("m.k1", 1), ("m.k2", {"port": 80})]),
        ("m.*.port", [("m.k2.port", 80)]),
        ("keys(m)", [("a key of m", "k1"), ("a key of m", "k2")]),
        ("keys(m.k2)", [("a key of m.k2", "port")]),
        (
            "keys(x[])",
            [
                ("a key of x[0]", "name"),
                ("a key of x[0]", "tags"),
                ("a key of x[1]", "name"),
                ("a key of x[2]", "other"),
            ],
        ),
        ("x[0].name", [("x[0].name", "a")]),
        ("x[9].name", []),
        ("s[0]", []),
        ("absent", []),
        ("absent[].x", []),
    ],
)
def test_select(path: str, found: list[tuple[str, t.Any]]) -> None:
    assert select(SETTINGS, path) == found


def test_malformed_values_say_what_and_where() -> None:
    settings = {"app_port": 70000, "app_sites": [{"name": "ok"}, {"name": "a;b"}], "app_env": {"A-B": 1}}
    formats = {"app_port": "port", "app_sites[].name": "identifier", "keys(app_env)": "environment_name"}
    assert malformed_values(settings, formats) == [
        "app_port is 70000; it wants a port from 1 to 65535",
        "app_sites[1].name is 'a;b'; it wants a lower-case name of at most 32 of a-z, 0-9, _ and -",
        "a key of app_env is 'A-B'; it wants an environment variable name of letters, digits and _",
    ]


@pytest.mark.parametrize("value", [True, False, ["80"], {"a": 1}])
def test_what_is_no_text_or_number_has_no_format(value: t.Any) -> None:
    assert len(malformed_values({"p": value}, {"p": "single_line"})) == 1


@pytest.mark.parametrize("value", [80, "80"])
def test_numbers_count_as_they_are_written(value: t.Any) -> None:
    assert malformed_values({"p": value}, {"p": "port"}) == []


def test_a_format_that_nobody_knows_is_a_mistake_of_the_role() -> None:
    with pytest.raises(ValueError, match="no format is called prot; there are: absolute_path"):
        malformed_values({}, {"p": "prot"})


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"p": "hunter2\n"}, "p"),
        ({"p": [{"q": "hunter2\n"}]}, "p[].q"),
        ({"p": {"q": "hunter2\n"}}, "p.*"),
        ({"p": {"hunter2\n": 1}}, "keys(p)"),
    ],
)
def test_secret_values_are_not_shown(settings: dict[str, t.Any], path: str) -> None:
    (problem,) = malformed_values(settings, {path: "single_line"}, secret={"p"})
    assert HIDDEN in problem
    assert "hunter2" not in problem


SPEC: dict[str, t.Any] = {
    "x_list": {"type": "list", "elements": "str", "default": []},
    "x_dict": {"type": "dict", "default": {}},
    "x_flag": {"type": "bool", "default": False},
    "x_text": {"type": "str", "required": True},
    "x_maybe": {"type": "str"},
    "x_sites": {
        "type": "list",
        "elements": "dict",
        "options": {"names": {"type": "list"}, "on": {"type": "bool"}, "ports": {"type": "dict"}},
    },
    "x_one": {"type": "dict", "options": {"tags": {"type": "list"}}},
}


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({"x_list": [], "x_dict": {}, "x_flag": True, "x_text": "", "x_sites": [{"names": [], "on": False}]}, []),
        ({"x_maybe": None}, []),
        ({"x_sites": [{}], "x_one": {}}, []),
        # Ansible would take these for the list [notes --port 80] and the mapping {A: 1}; templates would not.
        ({"x_list": "notes --port 80"}, ["x_list is 'notes --port 80'; it wants a list"]),
        ({"x_list": 1}, ["x_list is 1; it wants a list"]),
        ({"x_dict": "A=1"}, ["x_dict is 'A=1'; it wants a mapping"]),
        ({"x_dict": []}, ["x_dict is []; it wants a mapping"]),
        # A text such as 'no' is true to every template.
        ({"x_flag": "no"}, ["x_flag is 'no'; it wants true or false"]),
        ({"x_flag": 0}, ["x_flag is 0; it wants true or false"]),
        # What "x_dict:" means in YAML when all of its entries are commented out.
        ({"x_dict": None}, ["x_dict is null; it wants a value, or to be left out"]),
        ({"x_text": None}, ["x_text is null; it wants a value, or to be left out"]),
        ({"x_text": 1.10}, ["x_text is the number 1.1; it wants text, so put it in quotes"]),
        ({"x_text": 1, "x_list": [1.5]}, []),
        ({"x_sites": [{"names": "a; }"}]}, ["x_sites[0].names is 'a; }'; it wants a list"]),
        ({"x_sites": [{}, {"on": "yes"}]}, ["x_sites[1].on is 'yes'; it wants true or false"]),
        ({"x_sites": ["name=a"]}, ["x_sites[0] is 'name=a'; it wants a mapping"]),
        ({"x_one": {"tags": "a"}}, ["x_one.tags is 'a'; it wants a list"]),
    ],
)
def test_misshapen_values(settings: dict[str, t.Any], problems: list[str]) -> None:
    assert misshapen_values(settings, SPEC) == problems


def test_misshapen_secrets_are_not_shown() -> None:
    spec = {"x": {"type": "dict", "no_log": True, "options": {"y": {"type": "list"}}}}
    assert misshapen_values({"x": "hunter2"}, spec) == [f"x is {HIDDEN}; it wants a mapping"]
    assert misshapen_values({"x": {"y": "hunter2"}}, spec) == [f"x.y is {HIDDEN}; it wants a list"]


def test_show_is_short_and_ascii() -> None:
    assert show("a\u202eb\n") == r"'a\u202eb\n'"
    assert len(show("x" * 1_000_000)) == 80
    assert show("hunter2", hide=True) == HIDDEN


def test_hosts_that_are_not_in_the_inventory_are_refused() -> None:
    settings = {"nginx_sites": [{"hosts": ["notes", "app9", "empty", "app1"]}, {"hosts": None}]}
    groups = {"notes": ["app1"], "empty": []}
    assert unknown_hosts(settings, ["nginx_sites[].hosts[]"], groups, {"app1"}) == [
        "nginx_sites[0].hosts[1] is 'app9', neither a group nor a host of the inventory; "
        "it wants a host, or a group with at least one",
        "nginx_sites[0].hosts[2] is 'empty', a group without hosts; it wants a host, or a group with at least one",
    ]


def test_a_name_that_stands_for_another_setting_must_be_there() -> None:
    keys_of = {"previous[].name": ["secrets", "credentials"]}
    settings = {"previous": [{"name": "A"}, {"name": "B"}, {"name": "C"}], "secrets": {"A": 1}, "credentials": {"B": 2}}
    assert unknown_keys(settings, keys_of) == [
        "previous[2].name is 'C'; it wants a name in secrets or credentials, and there are A, B"
    ]
    assert unknown_keys({"previous": [{"name": "A"}], "secrets": None}, keys_of) == [
        "previous[0].name is 'A'; it wants a name in secrets or credentials, and there is none"
    ]


def test_peers_may_be_networks_too() -> None:
    settings = {"rules": [{"from": ["notes", "app1", "any", "10.0.0.0/8", "::1"]}, {"from": ["10.0.0.1/8", "empty"]}]}
    wants = "it wants a host, a group with at least one, an address, a network such as 10.20.0.0/24, or any"
    assert unknown_peers(settings, ["rules[].from[]"], {"notes": ["app1"], "empty": []}, {"app1"}) == [
        f"rules[1].from[0] is '10.0.0.1/8', none of these; {wants}",
        f"rules[1].from[1] is 'empty', a group without hosts; {wants}",
    ]


def test_a_boolean_that_should_be_text_is_explained() -> None:
    (problem,) = malformed_values({"postgres_settings": {"ssl": True}}, {"postgres_settings.*": "single_line"})
    assert problem.endswith("write it in quotes, for YAML takes on, off, yes and no for true and false")


@pytest.mark.parametrize(("format_name", "problems"), [("sha256?", 0), ("sha256", 1)])
def test_a_question_mark_lets_an_empty_text_pass(format_name: str, problems: int) -> None:
    assert len(malformed_values({"x": ""}, {"x": format_name})) == problems
    assert len(malformed_values({"x": "0"}, {"x": format_name})) == 1


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"a": "x", "b": ""}, ""),
        ({"b": "x"}, ""),
        ({"a": "", "b": None}, "nothing is given; it wants exactly one of a, b"),
        ({"a": "x", "b": "y"}, "a and b is given; it wants exactly one of a, b"),
    ],
)
def test_exactly_one_must_be_given(given: dict[str, t.Any], problem: str) -> None:
    assert missing_choices(given, [["a", "b"]]) == [problem] * bool(problem)


def test_a_password_in_a_url_is_not_shown() -> None:
    (problem,) = malformed_values({"x": "https://me:hunter2@example.org/notes"}, {"x": "artifact"})
    assert "hunter2" not in problem
    assert "https://********@example.org/notes" in problem


def test_directives_that_make_no_lines_of_a_unit_are_refused() -> None:
    settings = {"a_unit": {"Environment": "A=1\nExecStart=/bin/sh"}, "b_unit": {"X Y": 1}, "c_unit": {"Nice": 5}}
    assert bad_units(settings, ["a_unit", "b_unit", "c_unit", "d_unit"]) == [
        r"a_unit: Environment: 'A=1\nExecStart=/bin/sh' does not stay on its line",
        "b_unit: 'X Y' is no name of a unit's section or directive",
    ]
    nested = {"units": {"node": {"Nice": 5}, "redis": {"User": "a\n"}, "nginx": "no mapping"}}
    assert bad_units(nested, ["units.*"]) == [r"units.redis: User: 'a\n' does not stay on its line"]
    assert "longer than the 1000000 bytes" in bad_units({"a_unit": {"A": "x" * (1 << 20)}}, ["a_unit"])[0]


@pytest.mark.parametrize(
    ("one", "limit", "refused"),
    [
        ("60s", "65s", False),
        ("65s", "65s", True),
        ("5m", "65s", True),
        ("64999ms", "65s", False),
        ("66000ms", "1m", True),
        (90, "2m", False),
        ("1h", "1d", False),
        # A timeout of 0 is none.
        ("60s", "0", True),
        ("soon", "65s", False),
        ("60s", "soon", False),
    ],
)
def test_durations_that_must_be_shorter_than_another(one: t.Any, limit: str, refused: bool) -> None:
    settings = {"web_sites": [{"name": "a"}, {"name": "b", "wait": one}], "web_end": limit}
    problems = long_durations(settings, {"web_sites[].wait": "web_end"})
    said = f"web_sites[1].wait is {one} and web_end is {limit}; it wants less than that"
    assert problems == ([said] if refused else [])
