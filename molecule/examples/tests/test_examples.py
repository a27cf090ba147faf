"""Each of the examples, deployed as it stands: it serves, a second run changes nothing, an update is not noticed."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fleet
import pytest
import yaml
from load import Load
from standins import EXAMPLES, FIRST, SECOND, SYSTEMS, System, artifact, describe, front_ends
from trial import Play, Run

# Of all examples; theirs is encrypted for show.
VAULT_PASSWORD = "change-me"
# systemd says how many microseconds of a second a quota of one percent is.
PERCENT = 10_000


# A whole fleet, from nothing, on a machine with little to spare.
PLAY_SECONDS = 900
# What a Prometheus sees that has just been started: of each target, and of the server behind an exporter.
PATIENCE = 60
DOWN = '{__name__=~"up|nginx_up|pg_up|redis_up|probe_success"} == 0'

PID = "systemctl show --property=MainPID --value {name}@blue {name}@green | grep '^[1-9]'"
ASK = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Deployed:
    """An example that runs."""

    name: str
    system: System
    fleet: str
    files: Path
    settings: dict[str, Any]
    service: dict[str, Any]
    site: dict[str, Any]

    @property
    def inventory(self) -> Path:
        return fleet.CACHE / self.fleet / "inventory"

    @property
    def hosts(self) -> dict[str, str]:
        """Addresses, by the first word of the hosts' names."""
        return {name.split(".")[0]: address for name, address in fleet.addresses_of(self.inventory).items()}

    def container(self, host: str) -> str:
        names = fleet.addresses_of(self.inventory)
        return fleet.container(self.fleet, next(name for name in names if name.startswith(f"{host}.")))

    def on(self, host: str, *command: str) -> str:
        return fleet.run("docker", "exec", self.container(host), *command)

    def ask(self, host: str, url: str) -> str:
        return self.on(host, "python3", "-c", ASK, url)

    def program(self, *command: str, of: str, near: str) -> str:
        """What a program of one host says that is run as if on another: a host has the clients of its own data only."""
        there, here = (pid_of(self.container(host)) for host in (near, of))
        return fleet.run("nsenter", f"--target={there}", "--net", "chroot", f"/proc/{here}/root", *command)

    def converge(self, version: str, *options: str) -> Run:
        name = self.service.get("app_command", [self.service["app_name"]])[0]
        program = artifact(name, version, self.files) | front_ends(self.name, self.files)
        command = ["ansible-playbook", "site.yml", "-i", str(self.inventory), *options]
        password = self.files / "password"
        password.write_text(VAULT_PASSWORD)
        environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(password)}
        return Play([*command, "--extra-vars", json.dumps(self.settings | program)], environment).end(PLAY_SECONDS)

    def get(self, path: str, name: str = "", port: int = 443) -> Answer:
        """What the balancer answers to somebody who asks for the system by its name."""
        address, name = self.hosts["lb1"], name or self.site["server_names"][0]
        connection = http.client.HTTPConnection(address, port, timeout=10)
        if port == 443:
            # Whose certificates are good is the scenario edge's business.
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            plain = socket.create_connection((address, port), timeout=10)
            connection.sock = trust.wrap_socket(plain, server_hostname=name)
        connection.request("GET", path, headers={"Host": name})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read().decode())


def pid_of(container: str) -> str:
    return fleet.run("docker", "inspect", "--format={{.State.Pid}}", container)


@pytest.fixture(scope="module", params=SYSTEMS)
def deployed(
    request: pytest.FixtureRequest, fleet_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    name: str = request.param
    files = tmp_path_factory.mktemp(name)
    describe(name, files / "fleet")
    groups = EXAMPLES / name / "group_vars"
    (group,) = yaml.safe_load((EXAMPLES / name / "hosts.yml").read_text())["all"]["children"]["app"]["children"]
    (site,) = yaml.safe_load((groups / "nginx.yml").read_text())["nginx_sites"]
    inventory = fleet.CACHE / fleet_name / "inventory"
    fleet.up(fleet_name, str(files / "fleet"), str(inventory))
    gateway = re.sub(r"\d+$", "1", min(fleet.addresses_of(inventory).values()))
    service = yaml.safe_load((groups / f"{group}.yml").read_text())
    environment = [f"{key}={value}" for key, value in SYSTEMS[name].environment.items()]
    settings = {
        # Nobody signs certificates for example.com, and no store is behind the examples' keys.
        "edge_tls": "self_signed",
        "backup_remote": "",
        # Where the tests come from.
        "firewall_ssh_from": [gateway],
        "nginx_unlimited_addresses": [gateway],
        "app_unit": service["app_unit"] | {"Environment": environment},
        "app_gate_min_healthy": 2,
        "app_bake_min_healthy": 2,
    }
    made = Deployed(name, SYSTEMS[name], fleet_name, files, settings | SYSTEMS[name].settings, service, site)
    try:
        first = made.converge(FIRST)
        assert first.status == 0, first.output
        yield made
    finally:
        fleet.down(fleet_name, str(inventory))


def test_a_second_run_changes_nothing(deployed: Deployed) -> None:
    done = deployed.converge(FIRST)
    assert done.status == 0, done.output
    assert re.search(r"(?m)^\d+ hosts: ok=\d+ changed=0 unreachable=0 failed=0 ", done.output), done.output


def test_it_serves_by_its_names_alone(deployed: Deployed) -> None:
    live = deployed.system.live
    for name in deployed.site["server_names"]:
        assert deployed.get(live, name).status == 200
        assert deployed.get(deployed.system.own, name).headers["X-Instance"].startswith("app")
        away = deployed.get(f"{live}?a=b", name, port=80)
        assert (away.status, away.headers["Location"]) == (308, f"https://{name}{live}?a=b")
    with pytest.raises((OSError, http.client.HTTPException)):
        deployed.get(live, "elsewhere.example.com")
    assert deployed.get("/metrics").status == 404
    page = deployed.get("/")
    assert page.status == 200
    for front_end in front_ends(deployed.name, deployed.files).get("static_front_ends", []):
        assert page.text == f"<title>{front_end['name']}</title>"


def test_browsers_are_told_what_the_inventory_says(deployed: Deployed) -> None:
    headers = deployed.get("/").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    if "content_security_policy" in deployed.site:
        assert headers["Content-Security-Policy"] == deployed.site["content_security_policy"]


def test_the_instance_is_what_the_inventory_says(deployed: Deployed) -> None:
    name, service = deployed.service["app_name"], deployed.service
    limits = "--property=User,MemoryMax,CPUQuotaPerSecUSec,TimeoutStopUSec,RestartUSec,MainPID"
    units = deployed.on("app1", "systemctl", "show", limits, f"{name}@blue", f"{name}@green").split("\n\n")
    (said,) = (set(unit.splitlines()) for unit in units if "MainPID=0" not in unit)
    assert {f"User={name}", f"RestartUSec={service['app_unit']['RestartSec']}s"} <= said
    if "app_memory_max" in service:
        size = int(service["app_memory_max"][:-1]) << {"M": 20, "G": 30}[service["app_memory_max"][-1]]
        assert f"MemoryMax={size}" in said
    if "app_cpu_quota" in service:
        assert f"CPUQuotaPerSecUSec={int(service['app_cpu_quota'][:-1]) * PERCENT // 1000}ms" in said
    if "app_stop_timeout" in service:
        assert f"TimeoutStopUSec={service['app_stop_timeout']}s" in said
    environment = process(deployed, "cat /proc/$pid/environ").split("\0")
    assert {f"{key}={value}" for key, value in service["app_environment"].items()} <= set(environment)
    port = service.get("app_metrics_port", service["app_port"])
    assert "http_requests_total" in deployed.ask("app1", f"http://127.0.0.1:{port}/metrics")


def test_the_program_reads_its_files(deployed: Deployed) -> None:
    for path in deployed.service.get("app_files", {}):
        place = f"/etc/{deployed.service['app_name']}/{path}"
        text = process(deployed, f"cat /proc/$pid/root{place}")
        assert place in process(deployed, "cat /proc/$pid/cmdline").split("\0")
        port = re.search(r"(?m)^port = (\d+)$", text)
        assert port
        assert json.loads(deployed.ask("app1", f"http://127.0.0.1:{port[1]}{deployed.system.live}"))


def process(deployed: Deployed, command: str) -> str:
    """What a command says of the instance on the first host."""
    pid = PID.format(name=deployed.service["app_name"])
    return deployed.on("app1", "sh", "-c", f"pid=$({pid}); {command}")


def test_secrets_lead_to_the_data(deployed: Deployed) -> None:
    """From the host of an instance, as it would itself: a primary takes what is written, a replica has it."""
    environment = process(deployed, "cat /proc/$pid/environ").split("\0")
    secrets = dict(word.split("=", 1) for word in environment if word)
    for variable in {"DATABASE_URL", "DATABASE_REPLICA_URL"} & set(deployed.service.get("app_secrets", {})):
        asked = ("psql", "--no-psqlrc", "-At", "--command=SELECT pg_is_in_recovery()", secrets[variable])
        assert deployed.program(*asked, of="db1", near="app1") == ("t" if "REPLICA" in variable else "f"), variable
    for variable in {"REDIS_URL", "REDIS_REPLICA_URL"} & set(deployed.service.get("app_secrets", {})):
        asked = ("redis-cli", "--no-auth-warning", "-u", secrets[variable], "SET", "trial", "1")
        answer = deployed.program(*asked, of="cache1", near="app1")
        assert answer.startswith("READONLY" if "REPLICA" in variable else "OK"), variable


def test_replicas_follow(deployed: Deployed) -> None:
    others = [host for host in deployed.hosts if re.fullmatch("db[2-9]", host)]
    if "db1" in deployed.hosts:
        count = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        assert int(deployed.on("db1", "runuser", "-u", "postgres", "--", "psql", "-XAtc", count)) == len(others)


def test_all_of_it_is_watched(deployed: Deployed) -> None:
    """By Prometheus, at the ports of the exporters and that of the service's metrics; and no server is down."""
    deadline = time.monotonic() + PATIENCE
    while True:
        targets = prometheus(deployed, "targets")["activeTargets"]
        down = prometheus(deployed, f"query?query={quote(DOWN)}")["result"]
        bad = [target["scrapeUrl"] for target in targets if target["health"] != "up"] + down
        if not bad:
            break
        assert time.monotonic() < deadline, bad
        time.sleep(1)
    port = deployed.service.get("app_metrics_port", deployed.service["app_port"])
    apps = {f"{deployed.hosts[host]}:{port}" for host in deployed.hosts if host.startswith("app")}
    assert apps <= {target["discoveredLabels"]["__address__"] for target in targets}


def prometheus(deployed: Deployed, path: str) -> Any:
    return json.loads(deployed.ask("mon1", f"http://127.0.0.1:9090/api/v1/{path}"))["data"]


def test_nobody_notices_an_update(deployed: Deployed) -> None:
    system = deployed.system
    options = ("--paths", ",".join(system.paths), "--post-share", "0.5" if system.writes else "0")
    host = ("--header", f"Host: {deployed.site['server_names'][-1]}", "--insecure")
    load = ("--connections", "16", "--rate", "100", "--websockets", str(system.websockets))
    users = Load(f"https://{deployed.hosts['lb1']}", f"load-{deployed.name}", *host, *load, *options)
    try:
        done = deployed.converge(SECOND, "--tags", "app")
    finally:
        report = users.end(at_least=5)
    assert done.status == 0, done.output
    assert report["first_failures"] == []
    assert report["failed"] == 0
    assert set(report["by_version"]) == {FIRST, SECOND}
    assert report["websockets"]["failed"] == 0
    assert bool(report["websockets"]["echoes"]) == bool(system.websockets)
