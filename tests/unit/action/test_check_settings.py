# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template
from ansible.vars.manager import VariableManager
from ansible_collections.evenkeel.fleet.plugins.action.check_settings import ActionModule

Act = t.Callable[..., dict[str, t.Any]]

OPTIONS = {
    "web_name": {"type": "str", "required": True},
    "web_port": {"type": "int", "default": 80},
    "web_tags": {"type": "list", "elements": "str", "default": []},
    "web_password": {"type": "str", "no_log": True, "default": ""},
    "web_secrets": {"type": "dict", "no_log": True, "default": {}},
    "web_mode": {"type": "str", "choices": ["fast", "safe"], "no_log": True, "default": "safe"},
}
FORMATS = {"web_name": "identifier", "web_port": "port", "web_password": "single_line", "web_tags[]": "identifier"}


@pytest.fixture
def role(tmp_path: Path) -> Path:
    (tmp_path / "web/meta").mkdir(parents=True)
    describe(tmp_path / "web")
    return tmp_path / "web"


def describe(role: Path, **more: dict[str, t.Any]) -> None:
    """Say which settings the role has."""
    options = {**OPTIONS, **more}
    (role / "meta/argument_specs.yml").write_text(yaml.safe_dump({"argument_specs": {"main": {"options": options}}}))


@pytest.fixture
def check(act: Act, role: Path) -> Act:
    def call(variables: dict[str, t.Any], **arguments: t.Any) -> dict[str, t.Any]:
        trusted = {
            name: trust_as_template(value) if isinstance(value, str) else value for name, value in variables.items()
        }
        settings = {"groups": {}, "hostvars": {}, **trusted}
        return act(ActionModule, settings, **{"role_path": str(role), "formats": FORMATS, **arguments})

    return call


def test_good_settings_are_returned_without_secrets(check: Act, role: Path) -> None:
    variables = {"web_name": "{{ other }}", "other": "notes", "web_port": 8000, "web_password": "hunter2"}
    result = check(variables)
    assert not result.get("failed")
    assert result["problems"] == []
    assert result["settings"] == {"web_name": "notes", "web_port": 8000}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"web_prot": 80}, "web_prot is not a setting of this role; did you mean web_port?"),
        ({"web_name": "a;b"}, "web_name is 'a;b'; it wants a lower-case name"),
        ({"web_port": 70000}, "web_port is 70000; it wants a port from 1 to 65535"),
        ({"web_tags": "a b"}, "web_tags is 'a b'; it wants a list"),
        ({"web_name": "{{ nowhere }}"}, "web_name cannot be evaluated: "),
        ({"web_name": None}, "web_name is null; it wants a value"),
    ],
)
def test_problems_name_the_setting(check: Act, settings: dict[str, t.Any], problem: str) -> None:
    result = check({"web_name": "notes", **settings})
    assert result["failed"]
    assert result["msg"].startswith("Role web: ")
    assert [said for said in result["problems"] if said.startswith(problem)]


def test_a_missing_setting_is_a_problem(check: Act) -> None:
    assert "missing required arguments: web_name" in check({})["msg"]


def test_peers_are_looked_up_in_the_inventory(check: Act) -> None:
    variables = {"web_name": "notes", "web_tags": ["a", "any", "nobody"], "groups": {"a": ["b"]}}
    result = check(variables, peers=["web_tags[]"])
    assert [said.split(";")[0] for said in result["problems"]] == ["web_tags[2] is 'nobody', none of these"]


def test_all_problems_are_told_at_once(check: Act) -> None:
    assert len(check({"web_name": "A", "web_port": 0, "web_x": 1})["problems"]) == 3


@pytest.mark.parametrize(
    "settings",
    [
        {"web_password": "hunter2\n"},
        {"web_password": ["hunter2"]},
        {"web_password": "{{ 'hunter2' | no_such_filter }}"},
        {"web_secrets": "hunter2"},
        {"web_secrets": ["hunter2"]},
        {"web_mode": "hunter2"},
    ],
    ids=str,
)
def test_secret_settings_are_not_shown(check: Act, settings: dict[str, t.Any]) -> None:
    result = check({"web_name": "notes", **settings})
    assert result["failed"]
    assert "hunter2" not in json.dumps(result, default=str)


def test_a_role_without_argument_spec(check: Act, tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="does not describe the settings of the role's entry point main"):
        check({}, role_path=str(tmp_path))


@pytest.mark.parametrize(
    ("probe", "problem"),
    [
        ("/ready", "web_probes[0] is a hidden value; it wants a mapping"),
        ({"urll": "/ready"}, "web_probes[0].urll is not an option of a probe; known are: address, "),
        ({"type": "http"}, "web_probes[0]: type is http but all of the following are missing: url"),
        ({"type": "https"}, "web_probes[0]: value of type must be one of: http, tcp, unit, postgres, redis, command"),
        ({"url": "ready"}, "web_probes[0].url is 'ready'; a probe wants http://address:port/path"),
        ({"url": "http://ann:hunter2@a/"}, "web_probes[0].url holds a user or password"),
        ({"url": "ftp://ann:hunter2@a/"}, "web_probes[0].url holds a user or password"),
        ({"url": "/", "body": "("}, "web_probes[0].body is '('; it wants a regular expression"),
        ({"url": "/", "headers": "X-Token=hunter2"}, "web_probes[0].headers is a hidden value; it wants a mapping"),
        ({"url": "/", "max_latency": 0}, "web_probes[0].max_latency is 0.0; it wants more than 0 seconds"),
        ({"type": "tcp", "port": "hunter2"}, "web_probes[0]: argument 'port' is of type str"),
        ({"type": "command", "argv": "true", "user": "a"}, "web_probes[0].argv is a hidden value; it wants a list"),
    ],
)
def test_probes_are_checked_without_asking_anybody(check: Act, role: Path, probe: t.Any, problem: str) -> None:
    describe(role, web_probes={"type": "list", "elements": "raw", "no_log": True, "default": []})
    good = {"type": "redis", "password": "hunter2"}
    result = check({"web_name": "notes", "web_probes": [good]}, probes=["web_probes[]"])
    assert result["problems"] == []
    assert "web_probes" not in result["settings"]
    problems = check({"web_name": "notes", "web_probes": [probe, good]}, probes=["web_probes[]"])["problems"]
    assert [said for said in problems if said.startswith(problem)]
    assert probe == {"type": "tcp", "port": "hunter2"} or "hunter2" not in str(problems)


def test_a_gate_must_be_able_to_open(check: Act, role: Path) -> None:
    gates = [{"min_healthy": "web_port", "timeout": "web_timeout"}]
    describe(role, web_timeout={"type": "float", "default": 60})
    settings = {"web_name": "notes", "web_port": 50, "web_timeout": 60}
    assert check(settings, gates=gates)["problems"] == []
    problems = check({**settings, "web_port": 80}, gates=gates)["problems"]
    assert len(problems) == 1
    assert problems[0].startswith("web_port, web_timeout: timeout is 60.0 s, but 3 looks every 0.5 s and 80.0 s of")


@pytest.mark.parametrize(
    ("children", "both"),
    [
        ({"notes": ["a"], "memos": ["b"]}, ""),
        ({"notes": ["a", "b"], "memos": ["a"]}, "memos and notes"),
        ({"notes": ["b"], "memos": ["b"]}, ""),
    ],
)
def test_a_host_is_in_one_child_of_a_group(
    check: Act, children: dict[str, list[str]], both: str, tmp_path: Path
) -> None:
    groups = {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in children.items()}
    # A group below one of them is none of them.
    groups["notes"]["children"] = {"blue_notes": {"hosts": {"a": None}}} if "a" in children["notes"] else {}
    source = tmp_path / "hosts.yml"
    source.write_text(yaml.safe_dump({"all": {"children": {"app": {"children": groups}}}}))
    loader = DataLoader()
    variables = VariableManager(loader, InventoryManager(loader, [str(source)]))
    settings = {"web_name": "notes", "inventory_hostname": "a"}
    result = check(settings, variable_manager=variables, one_child_of="app")
    assert [problem.split(",")[0] for problem in result["problems"]] == ([f"a is in the groups {both}"] if both else [])
    assert check(settings, variable_manager=variables, one_child_of="none")["problems"] == []


@pytest.mark.parametrize(
    ("probe", "name"),
    [
        ({"url": "/search?token=hunter2"}, "http /search"),
        ({"type": "http", "url": "https://10.0.0.7/health", "password": "hunter2"}, "http https://10.0.0.7/health"),
        ({"type": "tcp", "port": 8003}, "tcp 127.0.0.1:8003"),
        ({"type": "redis"}, "redis 127.0.0.1"),
        ({"type": "unit", "unit": "notes-worker.service"}, "unit notes-worker.service"),
        (
            {
                "type": "postgres",
                "address": "10.0.0.5",
                "database": "notes",
                "username": "notes",
                "password": "hunter2",
            },
            "postgres notes at 10.0.0.5",
        ),
        ({"type": "redis", "address": "10.0.0.6", "port": 6380}, "redis 10.0.0.6:6380"),
        ({"type": "command", "argv": ["/opt/notes/smoke", "hunter2"], "user": "notes"}, "command /opt/notes/smoke"),
    ],
)
def test_a_probe_is_named_without_its_secrets(check: Act, role: Path, probe: dict[str, t.Any], name: str) -> None:
    describe(role, web_probes={"type": "list", "elements": "dict", "no_log": True, "default": []})
    result = check({"web_name": "notes", "web_probes": [probe]}, probes=["web_probes[]"])
    assert result["probes"] == [name]
    assert "hunter2" not in str(result)
