# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How exposed each unit is that the roles write or change, as the systemd of this machine reckons, without a host."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import rendering
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text

LOGS = {"logs_receiver": "lb1"}


# A change that exposes more has to say so here. The unit of a service is in app/test_unit.py, with all its variants.
@pytest.mark.parametrize(
    ("role", "variable", "settings", "most_exposed"),
    [
        ("nginx", "__nginx_unit", {}, 1.4),
        ("postgres", "__postgres_unit_sandbox", {}, 1.4),
        ("keepalived", "__keepalived_service", {"keepalived_addresses": ["192.0.2.9"]}, 2.8),
        ("logs", "__logs_unit", LOGS, 2.0),
        ("log_receiver", "__log_receiver_unit", {}, 2.0),
    ],
)
def test_units_are_hardly_exposed(
    role: str, variable: str, settings: dict[str, t.Any], most_exposed: float, tmp_path: Path
) -> None:
    made = rendering.Role(role).evaluate(variable, **settings)
    service = made.get("Service", made)
    unit = tmp_path / f"{role}.service"
    unit.write_text(unit_text({"Service": {**service, "ExecStart": "/bin/true"}}))
    assert (_systemd.unit_exposure(str(unit)) or 10) <= most_exposed
