# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What CONTRIBUTING.md asks of the plugins as a whole."""

from __future__ import annotations

import ast
import typing as t
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils._formats import FORMATS

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
TESTS = Path(__file__).parent


def stems(kind: str) -> list[str]:
    return sorted(path.stem for path in (PLUGINS / kind).glob("*.py") if path.stem != "__init__")


# They talk to the kernel, to systemd or over the network, and are tested on hosts: by the scenarios of molecule.
ONLY_ON_HOSTS = {"_instances", "_nft", "_openssl", "_psql", "_state", "_trial"}
# Constants, which argument specs and documentation are compared with by ansible-test.
NOTHING_TO_TEST = {"_arguments"}

# Whoever decides must be testable without waiting and without a host.
PURE = [
    "_answer",
    "_certificates",
    "_dashboard",
    "_drain",
    "_firewall",
    "_gate",
    "_inventory",
    "_layout",
    "_patroni",
    "_placeholders",
    "_pgbouncer",
    "_postgres_files",
    "_postgres_plan",
    "_postgres_replication",
    "_postgres_tuning",
    "_postgres_users",
    "_lease",
    "_monitoring",
    "_nginx",
    "_record",
    "_redis_acl",
    "_release",
    "_rollout",
    "_scram",
    "_sentinel",
    "_settings",
    "_steps",
    "_switch",
    "_transcript",
    "_trees",
    "_unit",
]
IMPURE_IMPORTS = {"os", "shutil", "socket", "subprocess", "time", "tempfile", "http", "urllib", "ansible"}


def load(kind: str, name: str) -> t.Any:
    return import_module(f"ansible_collections.evenkeel.fleet.plugins.{kind}.{name}")


@pytest.mark.parametrize(
    "name", [name for name in stems("module_utils") if name not in ONLY_ON_HOSTS | NOTHING_TO_TEST]
)
def test_every_core_has_its_test(name: str) -> None:
    assert (TESTS / "module_utils" / f"test{name}.py").exists()


@pytest.mark.parametrize("name", PURE)
def test_cores_are_pure(name: str) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse((PLUGINS / "module_utils" / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".", maxsplit=1)[0])
    assert not imported & IMPURE_IMPORTS


@pytest.mark.parametrize("name", stems("modules"))
def test_every_module_is_documented_and_has_an_example(name: str) -> None:
    module = load("modules", name)
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["module"] == name
    assert documentation["short_description"]
    assert f"evenkeel.fleet.{name}:" in module.EXAMPLES
    assert yaml.safe_load(module.EXAMPLES)
    assert yaml.safe_load(module.RETURN)


@pytest.mark.parametrize("name", stems("action"))
def test_every_action_plugin_has_a_module_of_its_name(name: str) -> None:
    assert name in stems("modules")


@pytest.mark.parametrize("name", [name for name in stems("modules") if name not in stems("action")])
def test_a_module_without_an_action_plugin_does_something_itself(name: str) -> None:
    assert callable(load("modules", name).main)


@pytest.mark.parametrize("name", stems("filter"))
def test_every_filter_is_documented(name: str) -> None:
    plugin = load("filter", name)
    assert list(plugin.FilterModule().filters()) == [name]
    assert yaml.safe_load(plugin.DOCUMENTATION)["name"] == name
    assert f"evenkeel.fleet.{name}" in plugin.EXAMPLES


@pytest.mark.parametrize("name", stems("callback"))
def test_every_callback_is_documented(name: str) -> None:
    plugin = load("callback", name)
    assert yaml.safe_load(plugin.DOCUMENTATION)["name"] == name
    assert f"evenkeel.fleet.{name}" == plugin.CallbackModule.CALLBACK_NAME


def test_the_documentation_of_check_settings_names_every_format() -> None:
    documentation = load("modules", "check_settings").DOCUMENTATION
    assert [name for name in FORMATS if f"V({name})" not in documentation] == []


def test_whatever_may_be_secret_is_in_no_log() -> None:
    spec = load("modules", "release").SPEC
    assert {name for name, option in spec.items() if option.get("no_log")} == {
        "secrets",
        "credentials",
        "files",
        "artifact_headers",
    }
