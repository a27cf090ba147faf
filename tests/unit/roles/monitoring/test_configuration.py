# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Prometheus and Alertmanager are told. The scenario monitoring has promtool judge the rules."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text
from rendering import Role

ROLE = Path(__file__).resolve().parents[4] / "roles/monitoring"
HOSTVARS = {
    "lb1": {"ansible_host": "192.0.2.1", "nginx_sites": [{"name": "notes", "server_names": ["notes.test"]}]},
    "app1": {"ansible_host": "192.0.2.2", "app_name": "notes", "app_port": 8000},
}
ALERTMANAGER = "etc/prometheus/evenkeel-alertmanager.yml.j2"
MOST_EXPOSED = 14


def files(**settings: t.Any) -> dict[str, t.Any]:
    made = Role("monitoring").evaluate("__monitoring_files", **{"hostvars": HOSTVARS, **settings})
    return {name: yaml.safe_load(text) for name, text in made.items() if name.endswith(".yml")}


def alerts(**settings: t.Any) -> dict[str, dict[str, t.Any]]:
    found = [rule for name, file in files(**settings).items() if "groups" in file for rule in rules(file)]
    return {rule["alert"]: rule for rule in found if "alert" in rule}


def rules(file: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [rule for group in file["groups"] for rule in group["rules"]]


def alertmanager(*receivers: dict[str, t.Any]) -> dict[str, t.Any]:
    made: dict[str, t.Any] = yaml.safe_load(Role("monitoring").template(ALERTMANAGER, monitoring_receivers=receivers))
    return made


def test_limits_are_documented_as_they_are() -> None:
    spec = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    documented = {name: option["default"] for name, option in spec["monitoring_limits"]["options"].items()}
    assert documented == Role("monitoring").variables["__monitoring_limit_defaults"]


def test_every_limit_is_used() -> None:
    text = "".join(path.read_text() for path in (ROLE / "templates").rglob("*.yml.j2"))
    assert [
        name for name in Role("monitoring").variables["__monitoring_limit_defaults"] if f".{name}>>" not in text
    ] == []


def test_a_limit_that_is_given_leaves_the_others() -> None:
    rule = alerts(monitoring_limits={"error_ratio": 0.01})["ServiceErrors"]
    assert rule["expr"].endswith("> 0.01")
    assert rule["for"] == "5m"


def test_every_alert_says_what_it_is_about() -> None:
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("critical", "warning", "heartbeat"), name
        assert rule["annotations"]["summary"], name


def test_rules_of_ones_own_stay_what_they_are() -> None:
    own = [{"name": "own", "rules": [{"alert": "Own", "expr": 'up{host="a"}', "annotations": {"a": "{{ $value }}"}}]}]
    assert files(monitoring_rules=own)["rules/own.yml"] == {"groups": own}


def test_services_are_asked_more_often() -> None:
    jobs = {job["job_name"]: job for job in files()["prometheus.yml"]["scrape_configs"]}
    assert jobs["service"]["scrape_interval"] == "5s"
    assert "scrape_interval" not in jobs["node"]
    assert set(jobs) == {"service", "site", "node", "nginx", "prometheus", "alertmanager", "blackbox"}


def test_only_hosts_that_back_up_have_to_tell_of_backups() -> None:
    assert "BackupSilent" not in alerts()
    assert "BackupSilent" in alerts(monitoring_backups=["all"], __monitoring_backed_up='"lb1"')


def test_nobody_is_told_by_default() -> None:
    made = alertmanager()
    assert made["route"]["receiver"] == "nobody"
    assert made["receivers"] == [{"name": "nobody"}]


def test_receivers_are_told_what_is_theirs() -> None:
    pager = {"name": "pager", "severities": ["critical"], "webhook_configs": [{"url": "http://a/"}]}
    mail = {"name": "mail", "email_configs": [{"to": "a@b", "from": "c@d", "smarthost": "e:25"}]}
    watch = {"name": "watch", "severities": ["heartbeat"], "also": {"slack_configs": [{"channel": "#a"}]}}
    made = alertmanager(pager, mail, watch)
    assert [(route["receiver"], route["matchers"]) for route in made["route"]["routes"]] == [
        ("pager", ['severity=~"critical"']),
        ("mail", ['severity=~"critical|warning"']),
        ("watch", ['severity=~"heartbeat"']),
    ]
    assert all(route["continue"] for route in made["route"]["routes"])
    assert made["receivers"][3]["slack_configs"] == [{"channel": "#a"}]


def test_a_site_is_asked_through_the_blackbox_exporter_by_a_module_that_it_has() -> None:
    made = files(monitoring_listen_address="::1")
    job = next(job for job in made["prometheus.yml"]["scrape_configs"] if job["job_name"] == "site")
    assert job["relabel_configs"][1] == {"target_label": "__address__", "replacement": "[::1]:9115"}
    modules = {name: module["http"]["tls_config"] for name, module in made["blackbox.yml"]["modules"].items()}
    assert modules == {name: {"insecure_skip_verify": name == "self_signed"} for name in ("site", "self_signed")}


@pytest.mark.parametrize("program", ["prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter"])
def test_little_is_left_open(program: str, tmp_path: Path) -> None:
    unit = tmp_path / "thing.service"
    made = Role("monitoring").evaluate("__monitoring_units")[program]
    unit.write_text(unit_text({"Service": {"User": "prometheus", **made["Service"]}}))
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
