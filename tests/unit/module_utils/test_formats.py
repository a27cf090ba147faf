# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
import time
import typing as t
import unicodedata
from itertools import product

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._formats import FORMATS
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
    "option_name": ["s3-key-secret", "path", "type"],
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
    "trimmed_line": ["", "a", "select 1", "; %include"],
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
    "option_name": ["", "Path", "-path", "s3_key", "a=b", "a]", "1a"],
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
    "trimmed_line": [" a", "a ", "\ta", " ", "a\nb"],
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
FREE_TEXT = {"single_line", "trimmed_line", "artifact", "nginx_text"}


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
