# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The shapes that values of settings must have."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import ADDRESS, is_interface, is_network
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SERVICE_NAME, SERVICE_NAME_WANTS
from ansible_collections.evenkeel.fleet.plugins.module_utils._nginx import LONGEST_STRING, nginx_string
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import NO_CHARACTERS


@dataclass(frozen=True)
class Format:
    """A shape a value must have: pattern, length in bytes and ``also`` decide, the sentence is for people."""

    pattern: str
    wants: str
    longest: int = 1000
    also: t.Callable[[str], bool] = bool

    def accepts(self, value: str) -> bool:
        # Digits are ASCII digits: what reads the value later knows no others.
        return (
            re.fullmatch(self.pattern, value, re.ASCII) is not None
            and len(value.encode()) <= self.longest
            and (value == "" or self.also(value))
        )


def _rises(schedule: str) -> bool:
    """Whether no range of a schedule ends before it begins."""
    return all(int(low) <= int(high) for low, high in re.findall(r"(\d+)-(\d+)", schedule))


def _cron_field(number: str, names: str = "") -> str:
    # Where a single number has a step, cron passes over the step and says nothing.
    one = f"(?:{number}|{names})" if names else number
    item = rf"(?:\*(?:/[1-9]\d?)?|{one}(?:-{one}(?:/[1-9]\d?)?)?)"
    return rf"{item}(?:,{item})*"


CRON_FIELDS = (
    _cron_field(r"[0-5]?\d"),
    _cron_field(r"(?:[01]?\d|2[0-3])"),
    _cron_field(r"(?:0?[1-9]|[12]\d|3[01])"),
    _cron_field(r"(?:0?[1-9]|1[0-2])", "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"),
    _cron_field(r"[0-7]", "(?i:sun|mon|tue|wed|thu|fri|sat)"),
)
NAMED_SCHEDULES = "@(hourly|daily|weekly|monthly|yearly)"

LINE = rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029{NO_CHARACTERS}]"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]"

FORMATS: dict[str, Format] = {
    "identifier": Format(r"[a-z_][a-z0-9_-]{0,31}", "a lower-case name of at most 32 of a-z, 0-9, _ and -"),
    "service_name": Format(SERVICE_NAME, SERVICE_NAME_WANTS),
    "sql_identifier": Format(r"[a-z_][a-z0-9_]{0,62}", "a lower-case name of at most 63 of a-z, 0-9 and _"),
    "user_name": Format(r"[a-z_][a-z0-9_-]{0,31}", "a system user name of at most 32 of a-z, 0-9, _ and -"),
    "environment_name": Format(r"[A-Za-z_][A-Za-z0-9_]*", "an environment variable name of letters, digits and _"),
    "version": Format(r"[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}", "a version of at most 64 letters, digits and . + _ ~ -"),
    "sha256": Format(r"[0-9a-f]{64}", "64 hexadecimal digits"),
    "port": Format(PORT, "a port from 1 to 65535"),
    "absolute_path": Format(
        r"(/(?!\.\.?(/|$))[A-Za-z0-9._@+~-]+)+/?|/", "an absolute path of letters, digits and . _ @ + ~ -"
    ),
    "path_glob": Format(r"(/(?!\.\.?(/|$))[A-Za-z0-9._@+~*?-]+)+", "an absolute path, * and ? allowed"),
    "relative_path": Format(
        r"(?!\.\.?(/|$))[A-Za-z0-9._@+~-]+(/(?!\.\.?(/|$))[A-Za-z0-9._@+~-]+)*",
        "a relative path of letters, digits and . _ @ + ~ -, without ..",
    ),
    "url": Format(r"https?://[A-Za-z0-9._~!&()*+,=:@%/?\[\]-]+", "a URL that begins with http:// or https://"),
    "email_address": Format(r"|[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+", "an email address, or nothing"),
    "mail_recipient": Format(r"[A-Za-z0-9][A-Za-z0-9._+-]*(@[A-Za-z0-9.-]+)?", "an email address, or a user's name"),
    "url_path": Format(r"/[A-Za-z0-9._~!&()*+,=:@%/?-]*", "a path that begins with /"),
    "nginx_path": Format(r"/[A-Za-z0-9._~/-]*", "a path of letters, digits and . _ ~ / -"),
    "network": Format(
        r"\d{1,3}(\.\d{1,3}){3}(/\d{1,2})?|(?=[0-9a-fA-F]{0,4}:)[0-9a-fA-F:.]{2,45}(/\d{1,3})?",
        "an IP address, or a network such as 192.0.2.0/24 without bits beyond its length",
        also=is_network,
    ),
    "header_name": Format(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", "the name of an HTTP header"),
    "interface": Format(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", "the name of a network interface such as eth0"),
    "interface_address": Format(
        r"[0-9A-Fa-f.:]{2,45}/\d{1,3}",
        "an address with the length of its network, such as 192.0.2.10/24",
        also=is_interface,
    ),
    "nginx_size": Format(r"\d{1,9}[kKmMgG]?", "a size such as 10m"),
    "nginx_seconds": Format(r"\d{1,6}[smhd]?", "a duration in whole seconds such as 30s"),
    "nginx_connections": Format(r"0|" + PORT, "a number from 0 to 65535"),
    "nginx_text": Format(
        rf"{LINE}*",
        f"one line without control characters that takes at most {LONGEST_STRING} bytes of nginx's configuration",
        longest=LONGEST_STRING,
        also=lambda value: len(nginx_string(value).encode()) <= LONGEST_STRING,
    ),
    "unit_pattern": Format(
        r"(?!-)[A-Za-z0-9:_.@*?\[\]\\-]{1,255}", "the name of a unit, or a pattern such as notes@*.service"
    ),
    "file_name": Format(r"(?!\.\.?$)[A-Za-z0-9._@+~-]{1,255}", "a file name of letters, digits and . _ @ + ~ -"),
    "file_mode": Format(r"0[0-7]{3}", "four octal digits as a string, such as '0640'"),
    "address": Format(ADDRESS, "an IP address or a host name"),
    "server_name": Format(
        rf"_|(?=.{{1,253}}$)(\*\.)?{LABEL}(\.{LABEL})*", "a host name of at most 253 characters, *.host name or _"
    ),
    "count": Format(r"0|[1-9]\d{0,8}", "a whole number from 0"),
    "positive_count": Format(r"[1-9]\d{0,8}", "a whole number from 1"),
    "positive_number": Format(r"[1-9]\d{0,8}(\.\d+)?|0\.\d*[1-9]\d*", "a number of more than 0"),
    "number": Format(r"\d{1,9}(\.\d+)?", "a number from 0"),
    "proportion": Format(r"0\.\d*[1-9]\d*", "a number between 0 and 1"),
    "status_pattern": Format(r"[1-5][0-9.x]{2}", "a status such as 503, or 5.. for all that begin with 5"),
    "metric_name": Format(r"[A-Za-z_:][A-Za-z0-9_:]*", "the name of a metric"),
    "log_size": Format(r"[1-9]\d*[MG]", "a size such as 512M or 2G"),
    "size": Format(r"\d+ ?([kKmMgGtT]i?[bB]?|[bB])?", "a size such as 256M"),
    "option_name": Format(r"[a-z][a-z0-9-]{0,62}", "the name of an option, of a-z, 0-9 and -"),
    "setting_name": Format(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", "the lower-case name of a server setting"),
    "memory_limit": Format(r"infinity|[1-9]\d*[KMGT]?|[1-9]\d?%", "a memory limit such as 512M, or infinity"),
    "cpu_quota": Format(r"|[1-9]\d*%", "a percentage of one CPU such as 50%, or nothing"),
    "batch": Format(r"[1-9]\d*|([1-9]\d?|100)%", "a number of hosts or a percentage such as 25%"),
    "hosts_available": Format(r"0|[1-9]\d*|([1-9]?\d|100)%", "a number of hosts or a percentage such as 75%"),
    "duration": Format(r"\d{1,6}(ms|s|m|h|d)?", "a duration such as 30s"),
    "cron_schedule": Format(
        rf"{NAMED_SCHEDULES}|" + " ".join(CRON_FIELDS),
        "five cron fields such as '0 2 * * *', each number in its range and steps only after * or a range",
        also=_rises,
    ),
    "artifact": Format(
        rf"(?!https?://[^/]*@){LINE}+",
        "a path, or a URL without a password in it, which logs would show",
        longest=8000,
    ),
    "minisign_key": Format(r"RW[A-Za-z0-9+/]{54}", "a public key of minisign, 56 characters that begin with RW"),
    "rclone_remote": Format(
        r"[a-z][a-z0-9_]*:[A-Za-z0-9._/@+~-]*", "a remote such as offsite:backups, its name of a-z, 0-9 and _"
    ),
    "redis_pattern": Format(
        r"[A-Za-z0-9_.:*?\[\]/@+~-]+", "a pattern of keys of letters, digits and _ . : * ? [ ] / @ + ~ -"
    ),
    "sshd_keyword": Format(
        r"(?i)(?!(match|include)$)[A-Za-z][A-Za-z0-9]+", "a keyword of sshd_config, not Match or Include"
    ),
    "sysctl_name": Format(r"[a-z0-9_]+(\.[A-Za-z0-9_/-]+)+", "a kernel setting such as net.core.somaxconn"),
    "unquoted": Format(r"[A-Za-z0-9_.~+=:,@/-]+", "one word of letters, digits and _ . ~ + = : , @ / -"),
    "trimmed_line": Format(
        rf"|(?=\S){LINE}*(?<=\S)", "one line without control characters that neither begins nor ends with a blank"
    ),
    "single_line": Format(rf"{LINE}*", "one line of at most 65536 bytes without control characters", longest=65536),
}
