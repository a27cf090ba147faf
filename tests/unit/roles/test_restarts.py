# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A program that crashes again and again ends in the state failed, where it is seen."""

from __future__ import annotations

import typing as t

import pytest
from rendering import PLAY, Role

APP = {"app_name": "notes", "app_port": 8000}
KEEPALIVED = {"keepalived_addresses": ["192.0.2.9"]}
EVERYWHERE = {**PLAY, "group_names": ["nginx", "postgres", "redis"], "redis_password": "x", "redis_users": []}
# Systemd's own limit.
STARTS, SECONDS = 5, 10


def units() -> dict[str, dict[str, t.Any]]:
    def evaluate(role: str, variable: str, **settings: t.Any) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", Role(role).evaluate(variable, **settings))

    return {
        "app": {**evaluate("app", "__app_unit", **APP)},
        "nginx": evaluate("nginx", "__nginx_unit"),
        "keepalived": evaluate("keepalived", "__keepalived_service", **KEEPALIVED),
        "pgbouncer": {"Service": evaluate("postgres", "__postgres_pgbouncer_service")},
        "logs": evaluate("logs", "__logs_unit"),
        "log_receiver": evaluate("log_receiver", "__log_receiver_unit"),
        **evaluate("exporters", "__exporters_drop_ins", **EVERYWHERE),
        **evaluate("monitoring", "__monitoring_units"),
    }


UNITS = units()


@pytest.mark.parametrize("name", UNITS)
def test_crashes_one_after_the_other_reach_the_limit(name: str) -> None:
    unit, service = UNITS[name].get("Unit", {}), UNITS[name]["Service"]
    assert service["Restart"] in ("always", "on-failure")
    starts = int(unit.get("StartLimitBurst", STARTS))
    # As much again as it waits, a start may take.
    assert 2 * starts * int(service["RestartSec"]) <= int(unit.get("StartLimitIntervalSec", SECONDS))
