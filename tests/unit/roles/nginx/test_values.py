# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a user sets reaches nginx's configuration as a word that cannot break out, or as a quoted text."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils._formats import FORMATS
from hypothesis import given, settings
from hypothesis import strategies as st

ROLE = Path(__file__).resolve().parents[4] / "roles/nginx"
TEMPLATES = sorted((ROLE / "templates").rglob("*.j2"))


def load(path: str) -> t.Any:
    return yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))


FORMAT_OF: dict[str, str] = {
    path: name.removesuffix("?") for path, name in load("vars/main.yml")["__nginx_formats"].items()
}
# Free text. Each must pass the filter nginx_string on its way into the configuration.
TEXTS = {
    "nginx_sites[].content_security_policy",
    "nginx_sites[].headers.*",
    "nginx_sites[].maintenance_page",
}
# Never part of a configuration.
ELSEWHERE = {"nginx_certificates", "nginx_unit", "nginx_acme_email", "nginx_maintenance_site"}


def text_options(spec: dict[str, t.Any], where: str = "") -> t.Iterator[str]:
    """Paths of all options that hold text without a fixed choice, or a mapping of such."""
    for name, option in spec.items():
        kind = option["type"]
        inner = f"{where}{name}" + ("[]" if kind == "list" else "")
        if "options" in option:
            yield from text_options(option["options"], f"{inner}.")
        elif kind == "dict":
            yield f"keys({inner})"
            yield f"{inner}.*"
        elif (option.get("elements") or kind) == "str" and "choices" not in option:
            yield inner


def test_every_text_has_a_format() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    wanted = set(text_options({name: option for name, option in options.items() if name not in ELSEWHERE}))
    # Names of hosts and groups are looked up, and only addresses of the inventory are written down.
    assert wanted - set(FORMAT_OF) == {"nginx_sites[].hosts[]", "nginx_acme_peers[]"}


@pytest.mark.parametrize("name", sorted({FORMAT_OF[path] for path in set(FORMAT_OF) - TEXTS - ELSEWHERE}))
def test_what_a_format_lets_through_is_one_word(name: str) -> None:
    @settings(max_examples=50)
    @given(st.from_regex(FORMATS[name].pattern, fullmatch=True))
    def check(value: str) -> None:
        if FORMATS[name].accepts(value):
            assert not re.search(r"[\s;{}\"'$#\\]|[^\x21-\x7e]", value)

    check()


@pytest.mark.parametrize("path", sorted(TEXTS))
def test_free_texts_are_lines_that_nginx_has_room_for(path: str) -> None:
    assert FORMAT_OF[path] == "nginx_text"


def test_templates_quote_free_texts() -> None:
    free = re.compile(r"\b(value|site\.content_security_policy|site\.maintenance_page)\b")
    printed = [
        (template.name, expression)
        for template in TEMPLATES
        for expression in re.findall(r"\{\{(.*?)\}\}", template.read_text(encoding="utf-8"))
        if free.search(expression)
    ]
    assert printed
    assert [found for found in printed if "evenkeel.fleet.nginx_string" not in found[1]] == []


def test_the_documented_defaults_of_a_site_are_those_in_force() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]["nginx_sites"]["options"]
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    internal = load("vars/main.yml")["__nginx_site_defaults"]
    documented["maintenance_page"] = internal["maintenance_page"]
    assert {**documented, "static_root": ""} == internal
