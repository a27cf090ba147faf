# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.modules import slot

ID, OTHER = "1.0.0-000000000001", "2.0.0-000000000002"


@pytest.mark.parametrize(
    ("now", "state", "as_wanted"),
    [
        ({"running": True, "enabled": True, "release": ID}, "started", True),
        ({"running": False, "enabled": True, "release": ID}, "started", False),
        ({"running": True, "enabled": False, "release": ID}, "started", False),
        ({"running": True, "enabled": True, "release": OTHER}, "started", False),
        ({"running": False, "enabled": False, "release": ""}, "stopped", True),
        ({"running": True, "enabled": False, "release": ""}, "stopped", False),
        ({"running": False, "enabled": True, "release": ""}, "stopped", False),
        ({"running": False, "enabled": False, "release": ID}, "stopped", False),
    ],
)
def test_is_as_wanted(now: dict[str, t.Any], state: str, as_wanted: bool) -> None:
    assert slot.is_as_wanted(now, state, ID if state == "started" else None) is as_wanted


@dataclass(frozen=True)
class LayoutHere(Layout):
    """The layout of a service whose units lie in the test's own directory."""

    def unit_link(self, slot: str) -> str:
        return f"{self.root}/units/{self.unit(slot)}"

    def enabled_link(self, slot: str) -> str:
        return f"{self.root}/units/wants/{self.unit(slot)}"


@pytest.fixture
def layout(tmp_path: Path) -> LayoutHere:
    return LayoutHere("notes", str(tmp_path))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, layout: LayoutHere) -> list[str]:
    """What systemd is asked to do. As the real one, it refuses to stop a unit of which there is no file."""
    asked: list[str] = []

    def systemctl(verb: str, _dashes: str = "--", unit: str = "") -> str:
        if verb == "stop" and not os.path.lexists(layout.unit_link(unit.partition("@")[2].partition(".")[0])):
            raise OSError(f"systemctl stop -- {unit} failed: Unit {unit} not loaded.")
        asked.append(f"{verb} {unit}".strip())
        return ""

    monkeypatch.setattr(_systemd, "_run", systemctl)
    monkeypatch.setattr(_systemd, "forget_failure", lambda unit: asked.append(f"forget {unit}"))
    return asked


LINKS = ("slot", "unit_link", "enabled_link")


@pytest.mark.parametrize("left", [LINKS[:n] for n in range(4)] + [("slot", "enabled_link"), ("enabled_link",)], ids=str)
def test_stop_after_a_kill(layout: LayoutHere, asked: list[str], left: tuple[str, ...]) -> None:
    """Whichever links a killed run left behind, the next one removes them."""
    for name in left:
        link = Path(getattr(layout, name)("blue"))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("somewhere")
    slot.stop(layout, "blue", {"running": False})
    assert not [name for name in LINKS if os.path.lexists(getattr(layout, name)("blue"))]
    assert asked == ["forget notes@blue.service", "daemon-reload"]


def test_stop_stops_before_it_forgets(layout: LayoutHere, asked: list[str]) -> None:
    Path(layout.unit_link("blue")).parent.mkdir(parents=True)
    Path(layout.unit_link("blue")).symlink_to("somewhere")
    slot.stop(layout, "blue", {"running": True})
    assert asked == ["stop notes@blue.service", "forget notes@blue.service", "daemon-reload"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"slot": "red"}, "value of slot must be one of: blue, green, got: red"),
        ({}, "state is started but all of the following are missing: release"),
        ({"release": ID, "service": "../x"}, "service is '../x'; it wants a lower-case name"),
    ],
)
def test_bad_arguments(run: t.Any, arguments: dict[str, t.Any], complaint: str) -> None:
    ports = [{"public": 8000, "blue": 8001, "green": 8002}]
    result = run(slot, **{"service": "notes", "slot": "blue", "ports": ports, **arguments})
    assert result["failed"]
    assert complaint in result["msg"]
