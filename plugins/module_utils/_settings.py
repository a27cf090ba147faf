# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a role's settings may look like, and what is wrong with those given."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._formats import FORMATS
from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import ANY, is_network
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text

HIDDEN = "a hidden value"


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


def crowded_children(host: str, parent: str, children: t.Mapping[str, t.Container[str]]) -> list[str]:
    """A sentence for a host that is in more than one child of the group."""
    mine = [name for name, hosts in children.items() if host in hosts]
    if len(mine) < 2:
        return []
    return [
        f"{host} is in the groups {' and '.join(sorted(mine))}, all of them children of {parent}; it wants to be in "
        "one of them, for their variables take each other's place. Give each group hosts of its own"
    ]


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


SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def long_durations(settings: t.Mapping[str, t.Any], shorter: t.Mapping[str, str]) -> list[str]:
    """One sentence for each duration at a path that is not shorter than the setting it is compared with.

    What is no duration is passed over: to say so is its format's business.
    """
    problems = []
    for path, other in shorter.items():
        limit = _seconds(settings.get(other))
        for label, value in select(dict(settings), path):
            seconds = _seconds(value)
            if limit is not None and seconds is not None and seconds >= limit:
                problems.append(f"{label} is {value} and {other} is {settings[other]}; it wants less than that")
    return problems


def _seconds(duration: t.Any) -> float | None:
    found = re.fullmatch(r"(\d+)(ms|[smhd])?", str(duration), re.ASCII)
    return int(found[1]) * SECONDS[found[2] or "s"] if found else None


def bad_units(settings: t.Mapping[str, t.Any], paths: t.Iterable[str]) -> list[str]:
    """One sentence for each mapping of directives that would not make lines of a unit.

    What is no mapping is passed over: to say so is the argument spec's business.
    """
    problems = []
    for path in paths:
        for label, directives in select(dict(settings), path):
            try:
                unit_text({"Service": directives if isinstance(directives, dict) else {}})
            except ValueError as exc:
                problems.append(f"{label}: {exc}")
    return problems


def probe_name(probe: t.Mapping[str, t.Any]) -> str:
    """What a probe is called where nothing secret may show: without a query, and a command without its arguments."""
    kind = str(probe.get("type", "http"))
    if kind in ("http", "unit"):
        return f"{kind} {str(probe['url' if kind == 'http' else 'unit']).partition('?')[0]}"
    if kind == "command":
        return f"{kind} {probe['argv'][0]}"
    place = ":".join(str(part) for part in (probe.get("address", "127.0.0.1"), probe.get("port")) if part)
    return f"{kind} {probe['database']} at {place}" if kind == "postgres" else f"{kind} {place}"


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
