# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters themselves are thin; what they stand for is tested in module_utils."""

from __future__ import annotations

import typing as t
from importlib import import_module
from pathlib import Path

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError

PLUGINS = Path(__file__).resolve().parents[3] / "plugins/filter"
FILTERS: dict[str, t.Callable[..., t.Any]] = {
    name: function
    for path in sorted(PLUGINS.glob("*.py"))
    for name, function in import_module(f"ansible_collections.evenkeel.fleet.plugins.filter.{path.stem}")
    .FilterModule()
    .filters()
    .items()
}


def test_addresses() -> None:
    hostvars = {"a": {"ansible_host": "192.0.2.1"}}
    assert FILTERS["addresses"](["app"], {"app": ["a"]}, hostvars) == ["192.0.2.1"]


def test_exec_words() -> None:
    assert FILTERS["exec_words"](["serve", "100%"]) == "serve 100%%"


def test_exporters() -> None:
    assert FILTERS["exporters"](["nginx"]) == {"node": 9100, "nginx": 9113}


def test_grafana_dashboard() -> None:
    assert FILTERS["grafana_dashboard"]({}, "The fleet")["uid"] == "the-fleet"


def test_scrape_targets() -> None:
    jobs = FILTERS["scrape_targets"](["a"], [], [], {}, {"a": {"ansible_host": "192.0.2.1"}})
    assert jobs["node"][0]["targets"] == ["192.0.2.1:9100"]


def test_watched_services() -> None:
    assert FILTERS["watched_services"](["a"], {}, {"a": {"app_name": "notes"}})[0]["name"] == "notes"


def test_shared_machines() -> None:
    assert FILTERS["shared_machines"]({"nginx": ["a", "b"]}, {"a": {}, "b": {}}) == []


def test_to_unit() -> None:
    assert FILTERS["to_unit"]({"Service": {"User": "notes"}}) == "[Service]\nUser=notes\n"


def test_pgbouncer_config() -> None:
    databases, hostvars = [{"name": "notes", "hosts": ["app"]}], {"a": {"ansible_host": "192.0.2.1"}}
    config = FILTERS["pgbouncer_config"](databases, [{"name": "notes", "password": "x"}], {"app": ["a"]}, hostvars, 160)
    assert config["rules"].splitlines()[-1] == 'hostssl "notes" "notes" 192.0.2.1/32 scram-sha-256'
    assert "default_pool_size = 160" in config["settings"]
    assert config["users"] == ["notes"]


def test_postgres_rules() -> None:
    databases, hostvars = [{"name": "notes", "hosts": ["app"]}], {"a": {"ansible_host": "192.0.2.1"}}
    rules = FILTERS["postgres_rules"](databases, [{"name": "notes", "password": "x"}], {"app": ["a"]}, hostvars)
    assert rules[-1] == 'hostssl "notes" "notes" 192.0.2.1/32 scram-sha-256'


def test_postgres_tuning() -> None:
    assert FILTERS["postgres_tuning"](1 << 30, 200)["shared_buffers"] == "256MB"


def test_redis_acl() -> None:
    assert list(FILTERS["redis_acl"]([], admin="a", password="b", nameless=True)) == ["default"]


def test_rotated_secrets() -> None:
    previous = [{"name": "KEY", "value": "old", "variable": "KEY_TOO"}]
    seen = [{"in_use": [], "missing": ["KEY"]}]
    assert FILTERS["rotated_secrets"]({"KEY": "new"}, previous, "use") == {"KEY": "new", "KEY_TOO": "old"}
    assert FILTERS["rotated_secrets"]({"KEY": "new"}, previous, "admit", seen) == {"KEY": "old", "KEY_TOO": "new"}


def test_sandboxed() -> None:
    unit = FILTERS["sandboxed"]({"ExecStart": "/bin/true", "ProcSubset": "all"})
    assert (unit["ExecStart"], unit["ProcSubset"], unit["ProtectSystem"]) == ("/bin/true", "all", "strict")


def test_with_addresses() -> None:
    rules = {"rules": [{"ports": [1], "from": ["app", "any"]}], "egress": [{"user": "to", "rules": [{"to": ["a"]}]}]}
    assert FILTERS["with_addresses"](rules, {"app": ["a"]}, {"a": {"ansible_host": "192.0.2.1"}}) == {
        "rules": [{"ports": [1], "from": ["192.0.2.1", "any"]}],
        "egress": [{"user": "to", "rules": [{"to": ["192.0.2.1"]}]}],
    }


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("addresses", (["nobody"], {}, {}), "nobody is neither a group nor a host"),
        ("drill_report", ([], 0, 1), "drill_report: nothing was restored"),
        ("exec_words", (["a\nb"],), "exec_words: "),
        ("pgbouncer_config", ([], [], {}, {}, 160, 5432, {"user": "root"}), "settings.user is the role's own"),
        ("scrape_targets", ([], ["a"], [], {}, {"a": {}}), "app_port"),
        ("watched_services", (["a"], {}, {}), "a is neither a group nor a host"),
        ("postgres_rules", ([], [{"name": "a"}], {}, {}), "a reaches no database"),
        ("postgres_rules", ([], [], {}, {}, True, ["hots"]), "postgres_hba.0.: a rule begins with"),
        ("postgres_tuning", (1, 200), "postgres_memory is 0M"),
        ("redis_acl", ([], "a", "b", False), "nobody would get in"),
        ("with_addresses", ({"from": ["nobody"]}, {}, {}), "nobody is neither a group nor a host"),
        ("to_unit", ({"Service": {"User": "a\nb"}},), "to_unit: User: "),
    ],
)
def test_errors_are_ansibles_own(name: str, arguments: tuple[t.Any, ...], complaint: str) -> None:
    with pytest.raises(AnsibleFilterError, match=complaint) as caught:
        FILTERS[name](*arguments)
    assert isinstance(caught.value, AnsibleError)
