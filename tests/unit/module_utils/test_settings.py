# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
import time
import typing as t
import unicodedata
from itertools import product

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._settings import (
    FORMATS,
    HIDDEN,
    bad_units,
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
from hypothesis import example, given, settings
from hypothesis import strategies as st

ACCEPTED: dict[str, list[str]] = {
    "positive_count": ["1", "300", "999999999"],
    "positive_number": ["1", "60", "0.5", "10.25", "0.005"],
    "number": ["0", "0.2", "240", "1.50"],
    "proportion": ["0.5", "0.99", "0.999", "0.001"],
    "status_pattern": ["5..", "5xx", "500", "50.", "4.."],
    "metric_name": ["http_requests_total", "job:requests:rate5m", "a"],
    "count": ["0", "1", "63072000"],
    "email_address": ["", "ops@example.com", "a+b.c_d-e@x.test"],
    "header_name": ["X-Frame-Options", "DNT", "x1"],
    "network": ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "::1"],
    "url": ["https://a.test:14000/dir?x=1", "http://[::1]/"],
    "identifier": ["a", "notes", "my-svc_2", "_x", "a" * 32],
    "service_name": ["a", "notes", "my-svc_2", "_x", "postgres-exporter", "redis2", "evenkeels"],
    "sql_identifier": ["a", "notes_2", "_x", "a" * 63],
    "user_name": ["www-data", "_apt", "notes"],
    "environment_name": ["PORT", "_x", "rust_log", "A1"],
    "version": ["1.0.0", "2024.1", "1.0.0+build.5", "1.0~rc1", "v1", "1.0.0-rc.1", "a" * 64],
    "sha256": ["0" * 64, "0123456789abcdef" * 4],
    "artifact": [
        "notes.tar.gz",
        "/srv/a b/notes",
        "~/notes",
        "https://example.org/a/notes?x=1#y",
        "https://[::1]:8/@a",
    ],
    "minisign_key": ["RWQ497J6BbSsG0mR9sGi7Oy7UYzUe/MbC7bk0LZLU+ncOHMMxlaMiOGK"],
    "port": ["1", "80", "8000", "9999", "10000", "59999", "64999", "65499", "65529", "65535"],
    "absolute_path": ["/", "/opt/notes", "/opt/notes/", "/a.b/..c/.d", "/opt/a@b+c~d-e_f"],
    "path_glob": ["/var/log/notes/*.log", "/var/log/a?", "/a"],
    "relative_path": ["a", "a/b", "config.d/app.yml", "..a", ".env", "a..b"],
    "url_path": ["/", "/health", "/api/v1/ready?full=1&x=a%20b", "/a:b@c"],
    "nginx_path": ["/", "/health", "/a/b.c~d-e_f/"],
    "nginx_size": ["0", "10m", "1G", "512k"],
    "interface": ["eth0", "enp1s0.100", "br-lan"],
    "interface_address": ["192.0.2.10/24", "2001:db8::10/64", "10.0.0.1/32"],
    "nginx_seconds": ["0", "30", "30s", "5m", "1d"],
    "nginx_connections": ["0", "1", "65535"],
    "nginx_text": ["", "a b", "$" * 222, 'grüße; "{}"', "x" * 3998],
    "unit_pattern": ["notes@*.service", "a", "dev-disk-by\\x2did.device", "getty@tty[1-3].service"],
    "mail_recipient": ["root", "ops@example.com", "a+b.c_d-e@x.test"],
    "file_name": ["a", "50-evenkeel.conf", "...", ".a"],
    "file_mode": ["0640", "0755"],
    "address": [
        "192.0.2.1",
        "localhost",
        "db1.example.com",
        "db1.example.com.",
        "::1",
        "2001:db8::1",
        "::ffff:192.0.2.1",
    ],
    "server_name": ["_", "example.com", "*.example.com", "a", "xn--bcher-kva.example"],
    "setting_name": ["work_mem", "auto_explain.log_min_duration", "save"],
    "log_size": ["512M", "2G", "1M"],
    "size": ["0", "256M", "1 GiB", "10kb", "512MB", "64mb", "10m", "7B"],
    "memory_limit": ["infinity", "512M", "1G", "1048576", "50%"],
    "cpu_quota": ["", "50%", "250%"],
    "batch": ["1", "10", "25%", "100%", "1%"],
    "hosts_available": ["0", "1", "20", "0%", "50%", "100%"],
    "duration": ["0", "30", "30s", "500ms", "5m", "1h", "1d"],
    "cron_schedule": ["0 2 * * *", "*/5 0-6,22 1 JAN mon-fri", "07 02 09 12 7", "@daily"],
    "rclone_remote": ["offsite:", "offsite:backups", "off_2:/srv/back-ups/a.b"],
    "redis_pattern": ["*", "notes:*", "a[b-c]?~@"],
    "sshd_keyword": ["X11Forwarding", "MACs", "Includes"],
    "sysctl_name": ["vm.overcommit_memory", "net.ipv4.conf.eth0/100.rp_filter"],
    "unquoted": ["s3cret", "a-b_c.d~=", "user@x:1/2"],
    "single_line": ["", "a b", "100% 'yours' \"$x\"; `id` \\", "grüße", "日本"],
}

REFUSED: dict[str, list[str]] = {
    "positive_count": ["", "0", "-1", "1.5", "01", "many"],
    "positive_number": ["", "0", "0.0", "-1", "1e3", ".5", "nan"],
    "number": ["", "-0.1", "1e3", ".5", "inf", "1."],
    "proportion": ["", "0", "1", "1.0", "0.0", "99", "-0.5", ".5"],
    "status_pattern": ["", "5", "5...", "6..", "(5..", "5..|4..", ".*"],
    "metric_name": ["", "1a", "http-requests", "a b", "a{b"],
    "count": ["", "-1", "01", "1.5", "1e3", "1" * 10],
    "email_address": ["-a@b", "a", "a@", "@b", "a b@c", "a@b c", "a@b@c"],
    "header_name": ["", "-a", "a b", "a:b", "a_b", "a" * 65],
    "network": ["", "a.b", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0 /8", "all", "10.0.0.1/8", "256.0.0.1"],
    "url": ["", "ftp://a", "a.b/c", "https://a b", "https://a/#b", "https://"],
    "identifier": ["", "Notes", "2a", "-a", "a.b", "a b", "a" * 33],
    "service_name": ["", "Notes", "a.b", "postgresql", "evenkeel-switch", "systemd-journald", "redis", "root"],
    "sql_identifier": ["", "a-b", "A", 'a"b', "1a", "a" * 64],
    "user_name": ["", "Root", "-x", "a:b", "a" * 33],
    "environment_name": ["", "1A", "A-B", "A=B", "A.B", "É"],
    "version": ["", ".1", "-1", "1 0", "1/0", "..", "a" * 65],
    "sha256": ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64],
    "artifact": ["", "https://me:hunter2@example.org/notes", "http://token@example.org/notes", "a\nb"],
    "minisign_key": ["", "RW", "untrusted comment: x", "RW" + "a" * 53, "RW" + "a" * 55, "QW" + "a" * 54],
    "port": [
        "",
        "0",
        "65536",
        "65540",
        "66000",
        "70000",
        "99999",
        "100000",
        "08000",
        "-1",
        "+80",
        "8000.0",
        "1e3",
        "0x50",
    ],
    "absolute_path": [
        "",
        "opt",
        "//opt",
        "/opt//x",
        "/..",
        "/opt/../etc",
        "/opt/.",
        "/opt/x/..",
        "/a b",
        "/a:b",
        "/a*",
    ],
    "path_glob": ["", "/", "*", "/a/../b", "/a/{b,c}", "/a/[b]", "/a b", "/a/"],
    "relative_path": ["", "/a", "..", ".", "a/..", "../a", "a/../b", "a//b", "a/", "./a", "a b", "a*"],
    "url_path": ["", "health", "/a b", '/"', "/{x}", "/<x>", "/#x", "/\\"],
    "nginx_path": ["", "a", "/a b", "/a?b", "/{", "/a%20b", "/*"],
    "interface": ["", "eth 0", "-i", "a" * 16, "eth0;"],
    "interface_address": ["", "192.0.2.10", "192.0.2.10/33", "192.0.2.256/24", "a/24", "::1/129"],
    "nginx_seconds": ["", "500ms", "1 s", "-1", "1" * 7],
    "nginx_connections": ["", "-1", "65536", "1e3"],
    "nginx_text": ["a\nb", "$" * 223, "é" * 2001, "x" * 3999, "\ud800", "\ufdd0"],
    "unit_pattern": ["", "--all", "a b", "a;b", "a/b", "a" * 256],
    "mail_recipient": ["", "-oQ/tmp", "a@", "a b", "a@b@c", "a,b"],
    "nginx_size": ["", "10 m", "m", "10mb", "-1", "1.5m"],
    "file_name": ["", ".", "..", "a/b", "a b", "a" * 256],
    "file_mode": ["", "640", "0999", "01777", "u=rw", "416"],
    "address": ["", "a b", "-a", "a-", "a..b", "192.0.2.0/24", "*", "a_b", "fe80::1%eth0", "a" * 64, "a." * 127 + "aa"],
    "server_name": ["", "*", "*.", "**.a", "~^x", "-a", "a-", "a b", "$host", "a:80", "a..b", "a." * 127],
    "setting_name": ["", "Work_mem", "a.b.c", "a-b", "a=b", ".a", "1a"],
    "log_size": ["", "0", "0G", "2g", "1.5G", "10%", "2 G", "2GB"],
    "size": ["", "M", "1.5G", "-1", "10 %", "10x", "1  G"],
    "memory_limit": ["", "0", "512m", "512 M", "100%", "0%", "Infinity", "-1"],
    "cpu_quota": ["0%", "50", "50 %", "-5%"],
    "batch": ["", "0", "0%", "101%", "-1", "1.5", "half", "01"],
    "hosts_available": ["", "-1", "01", "101%", "1.5", "half", "5 %"],
    "duration": ["", "s", "30 s", "1.5s", "-1", "5min", "1w2d", "1" * 7],
    "cron_schedule": [
        "",
        "0 2 * *",
        "0 2 * * * *",
        "@reboot",
        "0 2 * * * root rm",
        "0  2 * * *",
        "% * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "1/5 * * * *",
        "*/0 * * * *",
        "* jan * * *",
        ", * * * *",
    ],
    "rclone_remote": ["", "offsite", "/srv/backups", "-x:y", "Off:x", "a-b:x", "off:a b", "off:$x"],
    "redis_pattern": ["", "a b", "a\n", 'a"b', "a'b", "é"],
    "sshd_keyword": ["", "Match", "include", "A b", "A\n", "1A"],
    "sysctl_name": ["", "vm", "vm.", "vm.x y", "vm.x\n", "../x"],
    "unquoted": ["", "a b", 'a"b', "a'b", "a\\b", "ä", "a\n"],
    "single_line": [
        "x" * 65537,
        "\ud800",
        "\uffff",
        "a\nb",
        "a\x00",
        "a\x1b[31m",
        "a\x7f",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "a\tb",
        "a\x9b31m",
    ],
}

# What a value may carry that a shell, a unit, nginx, SQL or cron would make something of, or that eyes do not see.
HOSTILE = [
    "\n",
    "\r",
    "\t",
    "\x00",
    "\x0b",
    "\x85",
    "\u2028",
    '"',
    "'",
    ";",
    "$(id)",
    "`id`",
    "|",
    "\\",
    "{",
    "}",
    "<",
    ">",
    "#",
    "\u0661",
    "\uff18",
    "²",
    "\uff41",
    "\u0131",
    "é",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\u00a0",
]

# The formats that take any character that stays on its line; whoever uses such a value quotes it.
FREE_TEXT = {"single_line", "artifact", "nginx_text"}


def accepts(name: str, value: str) -> bool:
    return FORMATS[name].accepts(value)


def cases(table: t.Mapping[str, t.Sequence[str]]) -> list[t.Any]:
    return [
        pytest.param(name, value, id=f"{name}-{value[:40]!a}") for name, values in table.items() for value in values
    ]


def test_every_format_has_examples() -> None:
    assert set(FORMATS) == set(ACCEPTED) == set(REFUSED)


@pytest.mark.parametrize(("name", "value"), cases(ACCEPTED))
def test_accepted(name: str, value: str) -> None:
    assert accepts(name, value)


@pytest.mark.parametrize(("name", "value"), cases(REFUSED))
def test_refused(name: str, value: str) -> None:
    assert not accepts(name, value)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - FREE_TEXT))
def test_hostile_characters_are_refused(name: str) -> None:
    for good, evil in product(ACCEPTED[name], HOSTILE):
        for value in (good + evil, evil + good, good[: len(good) // 2] + evil + good[len(good) // 2 :]):
            if (name, evil) != ("unit_pattern", "\\"):
                assert not accepts(name, value), ascii(value)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_nothing_hides_behind_the_end(name: str) -> None:
    for good, end in product(ACCEPTED[name], ["\n", "\r\n", "\x00", "\u2028", "\t"]):
        assert not accepts(name, good + end), ascii(end)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - FREE_TEXT))
def test_digits_of_other_scripts_are_no_digits(name: str) -> None:
    full_width = str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")
    for good in ACCEPTED[name]:
        if re.search("[0-9]", good):
            assert not accepts(name, good.translate(full_width))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_huge_value_is_judged_at_once(name: str) -> None:
    began = time.process_time()
    for part in ("a", "1", "/a", ":", "a.", "a-", "0 ", "\n"):
        value = part * ((1 << 20) // len(part))
        verdicts = [accepts(name, value + end) for end in ("", "!", "\n")]
        assert not verdicts[2], part
    assert time.process_time() - began < 5


EXAMPLES = sorted((name, value) for table in (ACCEPTED, REFUSED) for name, values in table.items() for value in values)


@settings(max_examples=2000)
@given(st.sampled_from(EXAMPLES), st.integers(0, 100), st.text(max_size=2))
def test_no_accepted_value_holds_a_control_character(given_example: tuple[str, str], at: int, more: str) -> None:
    name, value = given_example
    value = value[:at] + more + value[at:]
    if accepts(name, value):
        assert not [c for c in value if unicodedata.category(c) in ("Cc", "Zl", "Zp")]
        assert name in FREE_TEXT or value.isascii()


@given(st.integers(-10, 100_000))
@example(65535)
@example(65536)
def test_ports_are_from_1_to_65535(number: int) -> None:
    assert accepts("port", str(number)) == (1 <= number <= 65535)


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
    assert "longer than the 1000000 bytes" in bad_units({"a_unit": {"A": "x" * (1 << 20)}}, ["a_unit"])[0]
