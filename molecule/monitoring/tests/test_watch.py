"""What a Prometheus sees of a fleet, whom it tells when something stops, and what it refuses."""

from __future__ import annotations

import json
import shlex
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import fleet
import pytest
from trial import Service

MONITOR = "mon1"
# Each on its own Debian.
DATA = ("data1", MONITOR)
PATIENCE = 90
# The pager of the scenario: keeps what it is sent.
PAGER = """
import http.server
class Pager(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("/tmp/paged", "ab") as log:
            log.write(body + b"\\n")
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 9999), Pager).serve_forever()
"""
ASK = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"


def on(notes: Service, host: str, command: str, check: bool = True) -> str:
    return fleet.run("docker", "exec", fleet.container(notes.fleet, host), "bash", "-c", command, check=check)


def ask(notes: Service, url: str) -> Any:
    return json.loads(on(notes, MONITOR, f"python3 -c {shlex.quote(ASK)} {shlex.quote(url)}"))


def prometheus(notes: Service, path: str) -> Any:
    return ask(notes, f"http://127.0.0.1:9090/api/v1/{path}")["data"]


def firing(notes: Service) -> dict[str, set[str]]:
    """The alerts that Prometheus has raised, and what they are about."""
    found: dict[str, set[str]] = {}
    for alert in prometheus(notes, "alerts")["alerts"]:
        if alert["state"] == "firing":
            found.setdefault(alert["labels"]["alertname"], set()).add(alert["labels"].get("instance", ""))
    return found


def silenced(notes: Service) -> set[str]:
    """The alerts of which Alertmanager tells nobody, because another one says it all."""
    alerts = ask(notes, "http://127.0.0.1:9093/api/v2/alerts?active=false&silenced=false")
    return {alert["labels"]["alertname"] for alert in alerts if alert["status"]["inhibitedBy"]}


def paged(notes: Service) -> list[tuple[str, str]]:
    lines = on(notes, MONITOR, "cat /tmp/paged", check=False).split("\n")
    alerts = [alert for line in lines if line for alert in json.loads(line)["alerts"]]
    return [(alert["labels"]["alertname"], alert["status"]) for alert in alerts]


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(1)


def start_time(notes: Service) -> str:
    return on(notes, MONITOR, "systemctl show --property=InvocationID prometheus prometheus-alertmanager")


@pytest.fixture(scope="module", autouse=True)
def pager(notes: Service) -> Iterator[None]:
    on(notes, MONITOR, f"rm -f /tmp/paged; systemd-run --quiet --unit pager python3 -c {shlex.quote(PAGER)}")
    yield
    on(notes, MONITOR, "systemctl stop pager")


def test_everything_that_runs_is_seen(notes: Service) -> None:
    expected = {
        *("service web1:8000", "nginx web1:9113", "site web1:80", "site web1:443"),
        *(f"{job} {host}:{port}" for job, port in (("postgres", 9187), ("redis", 9121)) for host in DATA),
        *(f"node {host}:9100" for host in ("web1", *DATA)),
        *(f"prometheus {MONITOR}:9090", f"alertmanager {MONITOR}:9093", f"blackbox {MONITOR}:9115"),
    }

    def up() -> set[str]:
        targets = prometheus(notes, "targets?state=active")["activeTargets"]
        return {f"{each['labels']['job']} {each['labels']['instance']}" for each in targets if each["health"] == "up"}

    wait_for("all targets", lambda: up() == expected)
    # The servers behind the exporters, too.
    servers = [f'{metric}{{host="{host}"}}' for metric in ("pg_up", "redis_up") for host in DATA]
    sites = [f'probe_success{{site="{site}"}}' for site in ("notes", "secure")]
    for metric in ("nginx_up", *servers, *sites, 'evenkeel_release_info{service="notes"}'):
        wait_for(metric, lambda metric=metric: value(notes, urllib.parse.quote(metric)) == 1)


def test_what_users_see_of_a_certificate_is_told(notes: Service) -> None:
    """nginx shows the one that it has."""
    shown = "probe_ssl_earliest_cert_expiry == on(site) evenkeel_certificate_expiry_timestamp_seconds"
    wait_for("its end", lambda: value(notes, urllib.parse.quote(shown)) is not None)


def value(notes: Service, query: str) -> float | None:
    found = prometheus(notes, f"query?query={query}")["result"]
    return float(found[0]["value"][1]) if found else None


def test_nobody_is_told_anything_while_all_is_well(notes: Service) -> None:
    wait_for("the heartbeat alone", lambda: set(firing(notes)) == {"Heartbeat"})


@pytest.mark.parametrize(("host", "port"), [("web1", 9100), ("web1", 9113), ("data1", 9187), ("data1", 9121)])
def test_only_monitoring_reaches_an_exporter(host: str, port: int, notes: Service) -> None:
    address = fleet.addresses_of(notes.inventory)[host]
    knock = f"python3 -c {shlex.quote(KNOCK)} {address} {port} && echo open"
    other = "data1" if host == "web1" else "web1"
    assert on(notes, MONITOR, knock) == "open"
    assert on(notes, other, knock, check=False) == ""


def test_a_service_that_dies_is_told_of_and_so_is_its_return(notes: Service) -> None:
    slot = on(notes, "web1", "systemctl list-units --plain --no-legend --state=active 'notes@*' | cut -d' ' -f1")
    on(notes, "web1", f"systemctl stop {slot}")
    wait_for("the alert", lambda: firing(notes).get("InstanceDown") == {"web1:8000"})
    wait_for("what users see", lambda: firing(notes).get("SiteDown") == {"web1:80", "web1:443"})
    wait_for("the page", lambda: ("InstanceDown", "firing") in paged(notes))
    on(notes, "web1", f"systemctl start {slot}")
    wait_for("its end", lambda: not {"InstanceDown", "SiteDown"} & set(firing(notes)))
    wait_for("the page of it", lambda: ("InstanceDown", "resolved") in paged(notes))


def test_a_silent_host_is_told_of_once(notes: Service) -> None:
    exporters = "prometheus-node-exporter prometheus-redis-exporter"
    on(notes, "data1", f"systemctl stop {exporters}")
    wait_for("both alerts", lambda: {"HostDown", "ExporterDown"} <= set(firing(notes)))
    wait_for("the lesser one to be held back", lambda: "ExporterDown" in silenced(notes))
    wait_for("the page", lambda: ("HostDown", "firing") in paged(notes))
    on(notes, "data1", f"systemctl start {exporters}")
    wait_for("the heartbeat alone", lambda: set(firing(notes)) == {"Heartbeat"})


def test_a_server_that_stops_is_told_of(notes: Service) -> None:
    on(notes, "data1", "systemctl stop redis-server")
    wait_for("the alert", lambda: "RedisDown" in firing(notes))
    on(notes, "data1", "systemctl start redis-server")
    wait_for("its end", lambda: "RedisDown" not in firing(notes))


def test_what_the_dashboard_asks_has_an_answer(notes: Service) -> None:
    """But for what this fleet has not: replicas and backups."""
    # What probes ask does not count, so somebody has to ask something.
    edge = f"http://{fleet.addresses_of(notes.inventory)['web1']}/notes"
    on(notes, MONITOR, f"python3 -c {shlex.quote(ASK)} {edge}")
    wait_for("the request", lambda: value(notes, "service:requests:rate5m") is not None)
    board = json.loads(on(notes, MONITOR, "cat /etc/evenkeel/monitoring/current/dashboard.json"))
    asked = {query["expr"]: panel["title"] for panel in board["panels"] for query in panel.get("targets", [])}

    def empty() -> set[str]:
        every = {expr: expr.replace("$service", ".*").replace("$host", ".*") for expr in asked}
        return {asked[expr] for expr, whole in every.items() if value(notes, urllib.parse.quote(whole)) is None}

    wait_for("answers", lambda: empty() == {"Lag of replicas", "Age of backups"})


def own_rule(expression: str) -> list[dict[str, Any]]:
    return [{"name": "own", "rules": [{"alert": "Own", "expr": expression, "labels": {"severity": "warning"}}]}]


def play(notes: Service, **settings: Any) -> tuple[int, str]:
    done = notes.begin("site.yml", "--tags", "monitoring", "--limit", MONITOR, **settings).end()
    return done.status, done.output


def state(notes: Service) -> tuple[str, str]:
    return start_time(notes), on(notes, MONITOR, "readlink /etc/evenkeel/monitoring/current")


def test_rules_that_make_no_sense_are_refused_and_nothing_changes(notes: Service) -> None:
    before = state(notes)
    status, output = play(notes, monitoring_rules=own_rule("sum(up"))
    assert status != 0
    assert "unclosed left parenthesis" in output
    assert state(notes) == before
    assert value(notes, "prometheus_config_last_reload_successful") == 1


def test_receivers_that_make_no_sense_are_refused(notes: Service) -> None:
    bad = [{"name": "pager", "also": {"webhook_confgs": []}}]
    status, output = play(notes, monitoring_receivers=bad)
    assert status != 0
    assert "webhook_confgs" in output


def test_new_rules_are_taken_without_a_restart(notes: Service) -> None:
    before = start_time(notes)
    assert play(notes, monitoring_rules=own_rule("vector(1)"))[0] == 0
    assert "own" in {group["name"] for group in prometheus(notes, "rules")["groups"]}
    wait_for("the alert", lambda: "Own" in firing(notes))
    assert play(notes)[0] == 0
    assert "own" not in {group["name"] for group in prometheus(notes, "rules")["groups"]}
    assert start_time(notes) == before


@pytest.mark.parametrize(("host", "secret"), [("data1", "[w]at:ch'er"), (MONITOR, "[s]3cret-of-pager")])
def test_secrets_are_where_nobody_else_reads_them(host: str, secret: str, notes: Service) -> None:
    """As a pattern that does not find itself."""
    look = f"grep --recursive --files-with-matches {shlex.quote(secret)} /etc /var/lib/prometheus /run /var/log"
    files = on(notes, host, look, check=False).split()
    assert files
    assert {on(notes, host, f"stat --format=%a {file}") for file in files} <= {"400", "440", "600"}, files
    for seen in ("cat /proc/*/cmdline /proc/*/environ", "journalctl --no-pager --quiet"):
        assert on(notes, host, f"{seen} 2>&1 | grep --text --count {shlex.quote(secret)}; true") == "0", seen


@pytest.mark.parametrize("host", ["web1", "data1", MONITOR])
def test_units_are_confined(host: str, notes: Service) -> None:
    units = "prometheus.service prometheus-alertmanager.service evenkeel-fleet-metrics.service"
    there = on(notes, host, f"ls /etc/systemd/system | grep -oP '^prometheus.*service(?=.d$)'; echo {units}").split()
    for unit in set(there) & set(on(notes, host, "systemctl list-unit-files --no-legend | cut -d' ' -f1").split()):
        said = on(notes, host, f"systemd-analyze security --no-pager {unit} | grep -oP 'level for .*: \\K[0-9.]+'")
        assert float(said) <= 1.5, unit
