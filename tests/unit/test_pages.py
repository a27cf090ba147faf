# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whoever is woken finds the alert in the runbook, and what the pages name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from rendering import Role

CHECKOUT = Path(__file__).resolve().parents[2]
RUNBOOK = CHECKOUT / "docs/runbook.md"
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("roles/*/README.md")])
# What is below it is the project's own, wherever it is read.
HOME = "https://github.com/evenkeel/fleet/blob/main/"
HOSTVARS = {"app1": {"app_name": "notes", "app_port": 8000}}

on_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


def rules() -> Iterator[tuple[str, str]]:
    """Each alert with the text of its rule."""
    files = Role("monitoring").evaluate("__monitoring_rules", hostvars=HOSTVARS, __monitoring_backed_up='"db1"')
    for text in files.values():
        for rule in text.split("- alert: ")[1:]:
            yield rule.split(maxsplit=1)[0], rule


def headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def tags() -> set[str]:
    site = (CHECKOUT / "playbooks/site.yml").read_text()
    return set(re.findall(r"\w+", " ".join(re.findall(r"tags: (.+)", site))))


def test_each_alert_has_an_entry_and_each_entry_an_alert() -> None:
    # What is no alert is said in several words.
    entries = [heading for heading in headings(RUNBOOK) if re.fullmatch(r"[A-Z]\w+[A-Z]\w+|Heartbeat", heading)]
    assert sorted(entries) == sorted(name for name, _rule in rules())


def test_each_alert_says_where_its_entry_is() -> None:
    for name, rule in rules():
        assert f"runbook: docs/runbook.md#{anchor(name)}\n" in f"{rule}\n", name


@on_each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _hash, wanted = link.removeprefix(HOME).partition("#")
        if ":" in path:
            continue
        target = (CHECKOUT if link.startswith(HOME) else page.parent) / path if path else page
        assert target.exists(), link
        assert not wanted or wanted in map(anchor, headings(target)), link


@on_each_page
def test_playbooks_and_tags_that_are_named_are_there(page: Path) -> None:
    text = page.read_text()
    for playbook in re.findall(r"playbooks/\w+\.yml", text):
        assert (CHECKOUT / playbook).exists(), playbook
    for given in re.findall(r"--tags ([a-z_,]+)", text):
        assert set(given.split(",")) <= tags(), given


@cache
def names() -> set[str]:
    """Settings of roles and playbooks, and plugins, whose names may begin like those of a role."""
    specs = [yaml.safe_load(path.read_text()) for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml")]
    settings = {name for spec in specs for name in spec["argument_specs"]["main"]["options"]}
    playbooks = [path.read_text() for path in CHECKOUT.glob("playbooks/*.yml")]
    return (
        settings
        | set(re.findall(r"\w+", " ".join(playbooks)))
        | {path.stem for path in CHECKOUT.glob("plugins/*/*.py")}
    )


@on_each_page
def test_settings_that_are_named_are_those_of_a_role(page: Path) -> None:
    roles = "|".join(sorted(path.name for path in (CHECKOUT / "roles").iterdir()))
    found = re.findall(rf"`((?:{roles})_[a-z_]+[a-z])(?=[`=:])", page.read_text())
    assert set(found) <= names()


@on_each_page
def test_files_that_are_named_are_there(page: Path) -> None:
    for path in re.findall(r"`((?:bin|docs|molecule|playbooks|roles|tests)/[\w/.]+)`", page.read_text()):
        assert (CHECKOUT / path).exists(), path
