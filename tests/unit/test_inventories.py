# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every inventory of the checkout has settings that its roles accept, and keeps what inventories/README.md promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

CHECKOUT = Path(__file__).resolve().parents[2]
# The inventory local is written by the demo, and as good as its fleet.
INVENTORIES = sorted(
    path.parent.relative_to(CHECKOUT)
    for path in CHECKOUT.glob("inventories/**/hosts.yml")
    if path.parent.name != "local"
)
# inventories/README.md tells it to everybody.
VAULT_PASSWORD = "change-me"
# What is lost with its host can be made again, and nobody waits for it.
PLAYGROUND = Path("inventories/dev")
# None of the checkout: two names of one machine.
TWINS = Path("twins")

every_inventory = pytest.mark.parametrize("inventory", INVENTORIES, ids=str)


class Fleet:
    """The hosts of an inventory and their variables, as a run with these extra variables has them."""

    def __init__(self, inventory: Path, **extra: str) -> None:
        self._loader = DataLoader()
        self._loader.set_vault_secrets([("default", VaultSecret(VAULT_PASSWORD.encode()))])
        self._inventory = InventoryManager(self._loader, sources=[str(CHECKOUT / inventory)])
        self._variables = VariableManager(self._loader, self._inventory)
        self._variables._extra_vars = extra
        HostVars(self._inventory, self._variables, self._loader)
        self.groups: dict[str, list[str]] = self._inventory.get_groups_dict()

    def of(self, group: str) -> list[str]:
        return self.groups.get(group, [])

    def get(self, host: str, name: str, default: t.Any) -> t.Any:
        variables = self._variables.get_vars(host=self._inventory.get_host(host))
        return Templar(self._loader, variables=variables).template(variables.get(name, default))

    def ways_in(self) -> dict[str, set[tuple[str, str]]]:
        """Whom Postgres and Redis let in, as user and password, by the scheme of their URLs."""
        found: dict[str, set[tuple[str, str]]] = {"postgres": set(), "redis": set()}
        for host in self.of("postgres"):
            for user in self.get(host, "postgres_users", []):
                found["postgres"].add((user["name"], user["password"]))
        for host in self.of("redis"):
            for user in self.get(host, "redis_users", []):
                found["redis"].update((user["name"], password) for password in user["passwords"])
        return found

    def ways_taken(self) -> dict[str, set[tuple[str, str]]]:
        """The same, as the services know it."""
        found: dict[str, set[tuple[str, str]]] = {"postgres": set(), "redis": set()}
        for host in self.of("app"):
            for secret in self.get(host, "app_secrets", {}).values():
                url = urlsplit(secret)
                if url.scheme in found:
                    found[url.scheme].add((url.username or "", url.password or ""))
        return found


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, subprocess.Popen[str]]:
    """The play that checks settings, on all inventories at the same time, for it mostly waits."""
    home = tmp_path_factory.mktemp("home")
    (home / "password").write_text(VAULT_PASSWORD)
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(home / "password"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "site.yml", "--connection", "local", "--tags", "always"]
    twins = home / "twins.yml"
    twins.write_text("hardening: {hosts: {one: {ansible_host: 192.0.2.1}, other: {ansible_host: 192.0.2.1}}}")
    return {
        inventory: subprocess.Popen(
            [*command, "-i", str(path)],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for inventory, path in {**{path: path for path in INVENTORIES}, TWINS: twins}.items()
    }


@every_inventory
def test_roles_accept_its_settings(inventory: Path, checks: dict[Path, subprocess.Popen[str]]) -> None:
    output, _nothing = checks[inventory].communicate(timeout=300)
    assert checks[inventory].returncode == 0, output
    assert " changed=0 " in output


def test_a_machine_with_two_names_is_refused_before_any_role_is_heard(
    checks: dict[Path, subprocess.Popen[str]],
) -> None:
    output, _nothing = checks[TWINS].communicate(timeout=300)
    assert checks[TWINS].returncode != 0
    assert "one and other are names of one machine, 192.0.2.1 port 22, in hardening; it wants one name" in output
    assert "check | " not in output


@every_inventory
def test_secrets_come_from_one_file(inventory: Path) -> None:
    named = {path for path in (CHECKOUT / inventory).rglob("*.yml") if "vault_" in path.read_text()}
    assert named <= {CHECKOUT / inventory / "group_vars/all/main.yml"}


@every_inventory
def test_old_passwords_are_good_while_new_ones_come(inventory: Path) -> None:
    """That is when a previous one is in the vault, beside a new one, and the other of two users has it."""
    before = Fleet(inventory)
    main = CHECKOUT / inventory / "group_vars/all/main.yml"
    replaced = {name: f"placeholder-{name}" for name in re.findall(r"vault_\w+_previous", main.read_text())}
    users = dict(re.findall(r"(?m)^(\w+): (\w+_)a$", main.read_text()))
    host = before.of("app")[0]
    old = {name: before.get(host, name.removesuffix("_previous"), "") for name in replaced}
    new = {name.removesuffix("_previous"): value for name, value in replaced.items()}
    during = Fleet(inventory, **old, **new, **{name: f"{user}b" for name, user in users.items()})
    for scheme, taken in before.ways_taken().items():
        assert taken <= before.ways_in()[scheme]
        assert taken | during.ways_taken()[scheme] <= during.ways_in()[scheme]
        assert not taken & during.ways_taken()[scheme]


@every_inventory
def test_what_was_signed_with_an_old_key_is_good_until_it_expires(inventory: Path) -> None:
    fleet = Fleet(inventory)
    if inventory != PLAYGROUND and fleet.get(fleet.of("app")[0], "app_previous_secrets", []):
        assert fleet.get(fleet.of("app")[0], "app_rotation_pause", 0) > 0


@every_inventory
def test_services_and_backups_follow_another_primary(inventory: Path) -> None:
    primary, *replicas = Fleet(inventory).of("postgres") or [""]
    for chosen in replicas:
        fleet = Fleet(inventory, postgres_primary=chosen)
        service = fleet.of("app")[0]
        urls = fleet.get(service, "app_secrets", {})
        assert urlsplit(urls["DATABASE_URL"]).hostname == fleet.get(chosen, "ansible_host", "")
        others = [fleet.get(host, "ansible_host", "") for host in (primary, *replicas) if host != chosen]
        assert urlsplit(urls["DATABASE_REPLICA_URL"]).netloc.partition("@")[2].split(",") == others
        assert fleet.get(service, "app_database_host", "") == chosen
        assert chosen in fleet.of("backup")
        assert fleet.get(chosen, "backup_only_leader", False)
        assert {fleet.get(host, "backup_host", host) for host in replicas} == {fleet.get(primary, "backup_host", "")}


@every_inventory
def test_backups_outlive_their_host(inventory: Path) -> None:
    fleet = Fleet(inventory)
    for host in fleet.of("backup") if inventory != PLAYGROUND else []:
        assert fleet.get(host, "backup_remote", ""), host
        assert len(fleet.get(host, "backup_recipients", [])) > 1, host


@every_inventory
def test_rotated_logs_are_opened_again(inventory: Path) -> None:
    fleet = Fleet(inventory)
    for host in fleet.of("logrotate"):
        for log in fleet.get(host, "logrotate_logs", []):
            assert log.get("signal_unit") or log.get("copytruncate"), log["name"]


@every_inventory
def test_monitoring_is_reached_over_ssh(inventory: Path) -> None:
    fleet = Fleet(inventory)
    for host in set(fleet.of("monitoring")) & set(fleet.of("hardening")):
        assert fleet.get(host, "hardening_sshd", {}).get("AllowTcpForwarding") == "local", host


def test_every_role_is_a_group_to_read_about() -> None:
    told = (CHECKOUT / "inventories/README.md").read_text().partition("## Groups and hosts")[2]
    assert [role.name for role in (CHECKOUT / "roles").iterdir() if f"`{role.name}`" not in told] == []
