# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils._monitoring import (
    EXPORTERS,
    SERVICE,
    SITE,
    exporters_of,
    quoted,
    scrape_targets,
    watched_services,
)

ROLES = Path(__file__).resolve().parents[3] / "roles"
GROUPS = {"all": ["app1", "db1"], "app": ["app1"], "notes": ["app1"], "postgres": ["db1"], "redis": ["db1"]}
NOTES = {"app_name": "notes", "app_port": 8000, "ansible_host": "192.0.2.1"}
HOSTVARS: dict[str, dict[str, t.Any]] = {"app1": NOTES, "db1": {"ansible_host": "2001:db8::1"}}


@pytest.mark.parametrize(
    ("groups", "exporters"),
    [
        ([], ["node"]),
        (["nginx", "app", "backup"], ["node", "nginx"]),
        (["postgres", "redis"], ["node", "postgres", "redis"]),
        (["patroni", "sentinel"], ["node", "postgres"]),
    ],
)
def test_what_runs_on_a_host_follows_from_its_groups(groups: list[str], exporters: list[str]) -> None:
    assert list(exporters_of(groups)) == exporters


def test_the_firewall_lets_monitoring_reach_each_of_them() -> None:
    opened = yaml.safe_load((ROLES / "firewall/defaults/main.yml").read_text())["firewall_exporter_ports"]
    assert {one.port for one in EXPORTERS.values()} <= set(opened)


def test_what_is_asked_goes_by_the_names_of_hosts() -> None:
    jobs = scrape_targets(["all"], ["app"], [], GROUPS, HOSTVARS)
    assert jobs["service"] == [
        {
            "targets": ["192.0.2.1:8000"],
            "labels": {
                "host": "app1",
                "instance": "app1:8000",
                "service": "notes",
                "__metrics_path__": "/metrics",
            },
        }
    ]
    assert jobs["postgres"] == [
        {"targets": ["[2001:db8::1]:9187"], "labels": {"host": "db1", "instance": "db1:9187"}},
    ]
    assert [target["labels"]["host"] for target in jobs["node"]] == ["app1", "db1"]
    assert "nginx" not in jobs


def test_a_service_is_asked_where_it_shows_its_metrics() -> None:
    hostvars = {**HOSTVARS, "app1": {**NOTES, "app_metrics_port": 2000, "app_metrics_path": "/m"}}
    [target] = scrape_targets([], ["notes"], [], GROUPS, hostvars)["service"]
    assert (target["targets"], target["labels"]["__metrics_path__"]) == (["192.0.2.1:2000"], "/m")


@pytest.mark.parametrize(
    ("site", "url", "name", "module"),
    [
        ({}, "http://192.0.2.1:80/health", "a.test", "site"),
        ({"tls": "acme"}, "https://192.0.2.1:443/health", "a.test", "site"),
        ({"tls": "self_signed", "tls_listen": 8443}, "https://192.0.2.1:8443/health", "a.test", "self_signed"),
        ({"health_path": "/live", "listen": 81}, "http://192.0.2.1:81/live", "a.test", "site"),
        ({"server_names": ["*.b.test"]}, "http://192.0.2.1:80/health", "www.b.test", "site"),
    ],
)
def test_a_site_is_asked_for_as_users_do(site: dict[str, t.Any], url: str, name: str, module: str) -> None:
    sites = [{"name": "a", "server_names": ["a.test", "b.test"], "port": 8000, **site}]
    hostvars = {**HOSTVARS, "app1": {**NOTES, "nginx_sites": sites}}
    [target] = scrape_targets([], [], ["app1", "db1"], GROUPS, hostvars)["site"]
    labels = target["labels"]
    assert target["targets"] == [url]
    assert (labels["host"], labels["site"], labels["instance"].split(":")[0]) == ("app1", "a", "app1")
    assert (labels["__param_hostname"], labels["__param_module"]) == (name, module)


def test_each_host_is_asked_once() -> None:
    assert len(scrape_targets(["all", "redis", "db1"], [], [], GROUPS, HOSTVARS)["node"]) == 2


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="hots is neither a group nor a host"):
        scrape_targets(["hots"], [], [], GROUPS, HOSTVARS)


def test_how_a_service_counts() -> None:
    [service] = watched_services(["app"], GROUPS, HOSTVARS)
    assert service["name"] == "notes"
    assert service["requests"].startswith('http_requests_total{job="service", service="notes", path!~')
    assert service["errors"].endswith('status=~"5.."}')
    assert service["latency"].startswith("http_request_duration_seconds_bucket{")


def test_what_the_fleet_asks_itself_is_left_out() -> None:
    hostvars = {**HOSTVARS, "app1": {**NOTES, "app_version_path": "/v1.0"}}
    [service] = watched_services(["app"], GROUPS, hostvars)
    assert r'path!~"/health|/ready|/v1\\.0|/metrics"' in service["requests"]
    hostvars["app1"]["app_metrics_ignore"] = []
    [service] = watched_services(["app"], GROUPS, hostvars)
    assert service["requests"] == 'http_requests_total{job="service", service="notes"}'


def test_a_service_without_a_histogram_has_no_latency() -> None:
    hostvars = {**HOSTVARS, "app1": {**NOTES, "app_metrics_latency": ""}}
    assert watched_services(["app"], GROUPS, hostvars)[0]["latency"] == ""


def test_two_instances_are_one_service() -> None:
    groups = {**GROUPS, "app": ["app1", "app2"]}
    assert len(watched_services(["app"], groups, {**HOSTVARS, "app2": NOTES})) == 1


def test_what_is_left_out_of_the_inventory_is_as_the_role_app_has_it() -> None:
    defaults = yaml.safe_load((ROLES / "app/defaults/main.yml").read_text())
    assert {name: defaults[name] for name in SERVICE} == SERVICE
    ignored = re.findall(r"app_\w+", defaults["app_metrics_ignore"])
    assert set(ignored) == {name for name in SERVICE if name.endswith("_path")}


def test_what_a_site_leaves_out_is_as_the_role_nginx_has_it() -> None:
    defaults = yaml.safe_load((ROLES / "nginx/vars/main.yml").read_text())["__nginx_site_defaults"]
    assert {name: defaults[name] for name in SITE} == SITE


@pytest.mark.parametrize("text", ["", 'a"b', "a\\d", "two\nlines"])
def test_nothing_ends_a_string_of_promql(text: str) -> None:
    inner = quoted(text)[1:-1]
    assert re.fullmatch(r'(?:[^"\\\n]|\\.)*', inner)
    assert inner.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\") == text
