"""Each of the examples, deployed as it stands: it serves, a second run changes nothing, an update is not noticed."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Deployed:
    """An example that runs."""

    name: str
    system: System
    fleet: str
    files: Path
    settings: dict[str, Any]
    service: dict[str, Any]
    group: str

    @property
    def inventory(self) -> Path:
        return fleet.CACHE / self.fleet / "inventory"

    def address(self, host: str) -> str:
        found = fleet.addresses_of(self.inventory)
        return next(address for name, address in found.items() if name.startswith(f"{host}."))

    def on(self, host: str, command: str) -> str:
        return fleet.ssh(self.fleet, self.address(host), command)

    def site(self, version: str, *options: str) -> Run:
        name = self.service.get("app_command", [self.service["app_name"]])[0]
        program = artifact(name, version, self.files) | front_ends(self.name, self.files)
        command = ["ansible-playbook", "site.yml", "-i", str(self.inventory), *options]
        password = self.files / "password"
        password.write_text(VAULT_PASSWORD)
        environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(password)}
        return Play([*command, "--extra-vars", json.dumps(self.settings | program)], environment).end()

    def get(self, path: str, port: int = 443) -> tuple[int, str]:
        """What the balancer answers to somebody who asks for the system by its name."""
        address, name = self.address("lb1"), self.system.host_name
        connection = http.client.HTTPConnection(address, port, timeout=10)
        if port == 443:
            # Whose certificates are good is the scenario edge's business.
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            plain = socket.create_connection((address, port), timeout=10)
            connection.sock = trust.wrap_socket(plain, server_hostname=name)
        connection.request("GET", path, headers={"Host": name})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="module", params=SYSTEMS)
def deployed(
    request: pytest.FixtureRequest, fleet_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    name: str = request.param
    files = tmp_path_factory.mktemp(name)
    describe(name, files / "fleet")
    (group,) = yaml.safe_load((EXAMPLES / name / "hosts.yml").read_text())["all"]["children"]["app"]["children"]
    inventory = fleet.CACHE / fleet_name / "inventory"
    fleet.up(fleet_name, str(files / "fleet"), str(inventory))
    gateway = re.sub(r"\d+$", "1", min(fleet.addresses_of(inventory).values()))
    settings = {
        # Nobody signs certificates for example.com, and no store is behind the examples' keys.
        "edge_tls": "self_signed",
        "backup_remote": "",
        # Where the tests come from.
        "firewall_ssh_from": [gateway],
        "nginx_unlimited_addresses": [gateway],
        "app_unit": {"Environment": [f"{key}={value}" for key, value in SYSTEMS[name].environment.items()]},
        "app_gate_min_healthy": 2,
        "app_bake_min_healthy": 2,
    }
    service = yaml.safe_load((EXAMPLES / name / f"group_vars/{group}.yml").read_text())
    made = Deployed(name, SYSTEMS[name], fleet_name, files, settings | SYSTEMS[name].settings, service, group)
    try:
        first = made.site(FIRST)
        assert first.status == 0, first.output
        yield made
    finally:
        fleet.down(fleet_name, str(inventory))


def test_a_second_run_changes_nothing(deployed: Deployed) -> None:
    done = deployed.site(FIRST)
    assert done.status == 0, done.output
    assert re.search(r"(?m)^\d+ hosts: ok=\d+ changed=0 unreachable=0 failed=0 ", done.output), done.output


def test_it_serves_by_its_name_alone(deployed: Deployed) -> None:
    assert deployed.get(deployed.system.live)[0] == 200
    assert deployed.get("/metrics")[0] == 404
    assert deployed.get("/", port=80)[0] == 308
    status, page = deployed.get("/")
    assert status == 200
    for front_end in front_ends(deployed.name, deployed.files).get("static_front_ends", []):
        assert page == f"<title>{front_end['name']}</title>"


def test_the_instance_is_what_the_inventory_says(deployed: Deployed) -> None:
    name, service = deployed.service["app_name"], deployed.service
    show = f"systemctl show --property=User,MemoryMax,CPUQuotaPerSecUSec {name}@blue {name}@green"
    said = deployed.on("app1", show)
    assert f"User={name}" in said
    if "app_memory_max" in service:
        size = int(service["app_memory_max"][:-1]) << {"M": 20, "G": 30}[service["app_memory_max"][-1]]
        assert f"MemoryMax={size}\n" in said
    if "app_cpu_quota" in service:
        assert f"CPUQuotaPerSecUSec={int(service['app_cpu_quota'][:-1]) * PERCENT // 1000}ms" in said
    port = service.get("app_metrics_port", service["app_port"])
    ask = f"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{port}/metrics').read().decode())"
    assert "http_requests_total" in deployed.on("app1", f'python3 -c "{ask}"')


def test_nobody_notices_an_update(deployed: Deployed) -> None:
    system = deployed.system
    options = ("--paths", ",".join(system.paths), "--post-share", "0.5" if system.writes else "0")
    host = ("--header", f"Host: {system.host_name}", "--insecure", "--connections", "16", "--rate", "100")
    load = Load(f"https://{deployed.address('lb1')}", f"load-{deployed.name}", *host, *options)
    try:
        done = deployed.site(SECOND, "--tags", "app")
    finally:
        report = load.end(at_least=5)
    assert done.status == 0, done.output
    assert report["first_failures"] == []
    assert report["failed"] == 0
    assert set(report["by_version"]) == {FIRST, SECOND}
