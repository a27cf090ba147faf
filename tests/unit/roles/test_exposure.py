# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How exposed each unit is that the roles write or change, as the systemd of this machine reckons, without a host."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import rendering
from ansible_collections.evenkeel.fleet.plugins.module_utils import _firewall, _switch, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._sandbox import SANDBOX
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text

ROLES = Path(__file__).resolve().parents[3] / "roles"
TROUBLESOME = "MemoryDenyWriteExecute"
DATA: dict[str, t.Any] = {
    "group_names": ["nginx", "postgres", "redis"],
    "postgres_users": [{"name": "watcher", "password": "w", "access": "monitoring"}],
    "redis_password": "r",
}
SERVICE: dict[str, t.Any] = {"app_name": "notes", "app_port": 8000, "app_command": ["notes"]}
ADDRESSES = {"keepalived_addresses": ["192.0.2.9"]}


@dataclass(frozen=True)
class Unit:
    """Where a unit comes from, and where an operator changes its directives."""

    role: str
    variable: str
    most_exposed: float
    own: str
    # Where the variable has several: which one, and what the operator calls it.
    part: str = ""
    key: str = ""
    settings: dict[str, t.Any] = field(default_factory=dict)

    def text(self, own: dict[str, t.Any]) -> str:
        """The unit as the role writes it, with these directives of an operator's."""
        settings = {**self.settings, self.own: {self.key: own} if self.key else own}
        made = rendering.Role(self.role).evaluate(self.variable, **settings)
        return made if isinstance(made, str) else unit_text(made[self.part] if self.part else made)


def exporter(name: str, most_exposed: float = 1.1) -> Unit:
    return Unit("exporters", "__exporters_drop_ins", most_exposed, "exporters_units", name, name, DATA)


def watcher(part: str, key: str) -> Unit:
    return Unit("monitoring", "__monitoring_units", 1.1, "monitoring_units", part, key)


# A change that exposes more has to say so here, and why in docs/sandbox.md.
UNITS = {
    "app": Unit("app", "__app_unit", 1.1, "app_unit", settings=SERVICE),
    "nginx": Unit("nginx", "__nginx_unit", 1.4, "nginx_unit"),
    "keepalived": Unit("keepalived", "__keepalived_service", 2.7, "keepalived_unit", settings=ADDRESSES),
    "postgres": Unit("postgres", "__postgres_unit_text", 1.4, "postgres_unit"),
    "pgbouncer": Unit("postgres", "__postgres_pgbouncer_unit", 1.1, "postgres_pgbouncer_unit"),
    "logs": Unit("logs", "__logs_unit", 1.9, "logs_unit", settings={"logs_receiver": "lb1"}),
    "log receiver": Unit("log_receiver", "__log_receiver_unit", 1.5, "log_receiver_unit"),
    "fleet metrics": Unit(
        "exporters", "__exporters_fleet_service", 1.0, "exporters_units", key="fleet_metrics", settings=DATA
    ),
    "node exporter": exporter("node", 1.2),
    "nginx exporter": exporter("nginx"),
    "postgres exporter": exporter("postgres"),
    "redis exporter": exporter("redis"),
    "prometheus": watcher("prometheus", "prometheus"),
    "alertmanager": watcher("prometheus-alertmanager", "alertmanager"),
    "blackbox exporter": watcher("prometheus-blackbox-exporter", "blackbox_exporter"),
}
# Debian's units of theirs say so; ours only change those.
PROMETHEUS = [name for name, unit in UNITS.items() if unit.part]


def exposure(text: str, directory: Path, user: str = "") -> float:
    path = directory / "thing.service"
    # Of Debian's own units there is only what we change.
    rest = ("" if "\nExecStart=" in text else "ExecStart=/bin/true\n") + (f"User={user}\n" if user else "")
    path.write_text(f"{text}\n[Service]\n{rest}")
    return _systemd.unit_exposure(str(path)) or 10


@pytest.mark.parametrize("name", UNITS)
def test_units_are_hardly_exposed(name: str, tmp_path: Path) -> None:
    user = "prometheus" if name in PROMETHEUS else ""
    assert exposure(UNITS[name].text({}), tmp_path, user) <= UNITS[name].most_exposed


@pytest.mark.parametrize("unit", [_firewall.UNIT, _switch.UNIT], ids=["firewall", "switch"])
def test_what_loads_rules_is_hardly_exposed(unit: str, tmp_path: Path) -> None:
    assert exposure(unit, tmp_path) <= 1.6


@pytest.mark.parametrize("name", UNITS)
def test_each_directive_is_taken_back_by_its_name(name: str) -> None:
    assert f"\n{TROUBLESOME}=true\n" in UNITS[name].text({})
    assert TROUBLESOME not in UNITS[name].text({TROUBLESOME: None})
    assert f"\n{TROUBLESOME}=false\n" in UNITS[name].text({TROUBLESOME: False})


def test_no_role_repeats_the_sandbox() -> None:
    repeated = {
        f"{path.parent.parent.name}: {name}"
        for path in ROLES.glob("*/vars/main.yml")
        for name, value in SANDBOX.items()
        if value is True and any(f"{quote}{name}{quote}: true" in path.read_text() for quote in ("", '"'))
    }
    assert not repeated
