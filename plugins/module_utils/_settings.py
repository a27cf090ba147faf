# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a role's settings may look like, and what is wrong with those given."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import ADDRESS, ANY, is_interface, is_network
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SERVICE_NAME, SERVICE_NAME_WANTS
from ansible_collections.evenkeel.fleet.plugins.module_utils._nginx import LONGEST_STRING, nginx_string
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import NO_CHARACTERS, unit_text

HIDDEN = "a hidden value"


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
    "single_line": Format(rf"{LINE}*", "one line of at most 65536 bytes without control characters", longest=65536),
}


def unknown_names(names: t.Iterable[str], known: t.Iterable[str]) -> list[str]:
    """One sentence for each name that is not known, with the nearest known one."""
    known = sorted(known)
    problems = []
    for name in sorted(set(names) - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are: {', '.join(known)}"
        problems.append(f"{name} is not a setting of this role{hint}")
    return problems


SHAPES: dict[str, tuple[t.Any, str]] = {
    "list": (list, "a list"),
    "dict": (dict, "a mapping"),
    "bool": (bool, "true or false"),
}


def misshapen_values(
    settings: t.Mapping[str, t.Any], spec: t.Mapping[str, t.Any], hide: bool = False, where: str = ""
) -> list[str]:
    """One sentence for each value that Ansible's own check would convert, and templates then see unconverted.

    To that check C(a b) is as good as the list C([a b]), C(x=1) as a mapping, C(no) as false, and null as anything.
    """
    problems = []
    for name in sorted(set(settings) & set(spec)):
        option, label = spec[name], f"{where}{name}"
        value: t.Any = settings[name]
        hidden = hide or bool(option.get("no_log"))
        kind = option.get("type", "str")
        shape, wanted = SHAPES.get(kind, (object, ""))
        if value is None:
            if option.get("required") or option.get("default") is not None:
                problems.append(f"{label} is null; it wants a value, or to be left out")
        elif not isinstance(value, shape):
            problems.append(f"{label} is {show(value, hidden)}; it wants {wanted}")
        elif kind == "str" and isinstance(value, float):
            # A version 1.10 that is not quoted has become 1.1 long before we see it.
            problems.append(f"{label} is the number {show(value, hidden)}; it wants text, so put it in quotes")
        elif "options" in option:
            inner = [(f"{label}[{i}]", entry) for i, entry in enumerate(value)] if shape is list else [(label, value)]
            for place, entry in inner:
                if isinstance(entry, dict):
                    problems += misshapen_values(entry, option["options"], hidden, f"{place}.")
                else:
                    problems.append(f"{place} is {show(entry, hidden)}; it wants a mapping")
    return problems


def select(value: t.Any, path: str) -> list[tuple[str, t.Any]]:
    """The (label, value) pairs that a path such as C(x[].name), C(x[0]), C(x.*) or C(keys(x)) stands for.

    A part that is absent or null stands for nothing: whether it is required is the argument spec's business.
    """
    if path.startswith("keys(") and path.endswith(")"):
        return [
            (f"a key of {label}", key)
            for label, mapping in select(value, path[5:-1])
            if isinstance(mapping, dict)
            for key in mapping
        ]
    found = [("", value)]
    for step in re.findall(r"\[\d*\]|[^.\[\]]+", path):
        found = [
            (f"{label}{mark}", inner)
            for label, outer in found
            for mark, inner in _step(outer, step, first=not label)
            if inner is not None
        ]
    return found


def _step(value: t.Any, step: str, first: bool) -> list[tuple[str, t.Any]]:
    dot = "" if first else "."
    if step == "[]":
        return [(f"[{i}]", inner) for i, inner in enumerate(value)] if isinstance(value, list) else []
    if step.startswith("["):
        return [(step, value[int(step[1:-1])])] if isinstance(value, list) and int(step[1:-1]) < len(value) else []
    if not isinstance(value, dict):
        return []
    if step == "*":
        return [(f"{dot}{key}", inner) for key, inner in value.items()]
    return [(f"{dot}{step}", value[step])] if step in value else []


def malformed_values(
    settings: t.Mapping[str, t.Any], formats: t.Mapping[str, str], secret: t.Collection[str] = ()
) -> list[str]:
    """One sentence for each value that has not the format its path asks for; secret settings are not shown.

    A format with a question mark lets an empty text pass.
    """
    problems = []
    for path, name in formats.items():
        wanted = FORMATS.get(name.removesuffix("?"))
        if wanted is None:
            raise ValueError(f"{path}: no format is called {name}; there are: {', '.join(sorted(FORMATS))}")
        top = re.sub(r"^keys\((.*)\)$", r"\1", path).split(".")[0].split("[")[0]
        for label, value in select(dict(settings), path):
            if value == "" and name.endswith("?"):
                continue
            if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not wanted.accepts(str(value)):
                hint = "; write it in quotes, for YAML takes on, off, yes and no for true and false"
                said = f"{label} is {show(value, hide=top in secret)}; it wants {wanted.wants}"
                problems.append(said + hint if isinstance(value, bool) else said)
    return problems


def unknown_hosts(
    settings: t.Mapping[str, t.Any],
    paths: t.Iterable[str],
    groups: t.Mapping[str, t.Sequence[str]],
    hosts: t.Container[str],
) -> list[str]:
    """One sentence for each value at these paths that names neither a host of the inventory nor a group with hosts."""
    return [
        f"{label} is {show(name)}, {seen or 'neither a group nor a host of the inventory'}; "
        "it wants a host, or a group with at least one"
        for label, name, seen in _unknown(settings, paths, groups, hosts)
    ]


def unknown_peers(
    settings: t.Mapping[str, t.Any],
    paths: t.Iterable[str],
    groups: t.Mapping[str, t.Sequence[str]],
    hosts: t.Container[str],
) -> list[str]:
    """As unknown_hosts, where a value may also be a network, an address or C(any)."""
    return [
        f"{label} is {show(name)}, {seen or 'none of these'}; it wants a host, a group with at least one, an address, "
        f"a network such as 10.20.0.0/24, or {ANY}"
        for label, name, seen in _unknown(settings, paths, groups, hosts)
        if name != ANY and not is_network(name)
    ]


def _unknown(
    settings: t.Mapping[str, t.Any],
    paths: t.Iterable[str],
    groups: t.Mapping[str, t.Sequence[str]],
    hosts: t.Container[str],
) -> t.Iterator[tuple[str, str, str]]:
    """The label and name of what is neither a host nor a group with hosts, and what it is if it is a group."""
    for path in paths:
        for label, value in select(dict(settings), path):
            name = str(value)
            if name not in hosts and not groups.get(name):
                yield label, name, "a group without hosts" if name in groups else ""


def unknown_keys(settings: t.Mapping[str, t.Any], keys_of: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """One sentence for each value at a path that is no key of any of the settings that it is to be one of."""
    problems = []
    for path, owners in keys_of.items():
        keys = sorted({str(key) for owner in owners for key in settings.get(owner) or {}})
        for label, name in select(dict(settings), path):
            if name not in keys:
                there = f"there are {', '.join(keys)}" if keys else "there is none"
                problems.append(f"{label} is {show(name)}; it wants a name in {' or '.join(owners)}, and {there}")
    return problems


def repeated_values(settings: t.Mapping[str, t.Any], paths: t.Iterable[str]) -> list[str]:
    """One sentence for each value that stands at more than one of the paths."""
    labels: dict[str, list[str]] = {}
    for path in paths:
        for label, value in select(dict(settings), path):
            labels.setdefault(str(value), []).append(label)
    return [f"{' and '.join(where)} are all {value}; they must differ" for value, where in labels.items() if where[1:]]


def bad_units(settings: t.Mapping[str, t.Any], names: t.Iterable[str]) -> list[str]:
    """One sentence for each mapping of directives that would not make lines of a unit."""
    problems = []
    for name in names:
        try:
            unit_text({"Service": settings.get(name, {})})
        except ValueError as exc:
            problems.append(f"{name}: {exc}")
    return problems


def missing_choices(settings: t.Mapping[str, t.Any], choices: t.Iterable[t.Sequence[str]]) -> list[str]:
    """One sentence for each group of settings of which not exactly one is given; an empty one is not."""
    problems = []
    for names in choices:
        given = [name for name in names if settings.get(name) not in (None, "")]
        if len(given) != 1:
            seen = " and ".join(given) if given else "nothing"
            problems.append(f"{seen} is given; it wants exactly one of {', '.join(names)}")
    return problems


def show(value: t.Any, hide: bool = False) -> str:
    if hide:
        return HIDDEN
    text = ascii(str(value)) if isinstance(value, str) else str(value)
    text = re.sub(r"://[^/\s]*@", "://********@", text)
    return text if len(text) <= 80 else f"{text[:77]}..."
