# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _instances, _nft, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import DROP_IN
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import UNIT, Ports, ruleset

ID, OTHER = "1.0.0-000000000001", "2.0.0-000000000002"
PORTS = [Ports(8000, 8001, 8002)]
GREEN = json.loads((Path(__file__).parent / "fixtures/nft-1.1.3-notes-green.json").read_text())


@dataclass(frozen=True)
class LayoutHere(Layout):
    def enabled_link(self, slot: str) -> str:
        return f"{self.root}/wants/{slot}"

    @property
    def switch_file(self) -> str:
        return f"{self.root}/notes.nft"

    @property
    def switch_enabled_link(self) -> str:
        return f"{self.root}/wants/switch"


@dataclass
class Place:
    """A host as a running release in green leaves it; each test breaks a part of it."""

    root: Path
    layout: Layout
    states: dict[str, str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    layout = LayoutHere("notes", str(tmp_path))
    for folder in ("releases", "slots", "wants"):
        (tmp_path / folder).mkdir()
    for release in (ID, OTHER):
        (tmp_path / "releases" / release).mkdir()
    (tmp_path / "slots/green").symlink_to(f"../releases/{OTHER}/green")
    (tmp_path / "current").symlink_to(f"releases/{OTHER}")
    (tmp_path / "previous").symlink_to(f"releases/{ID}")
    (tmp_path / "wants/green").symlink_to("somewhere")
    (tmp_path / "wants/switch").symlink_to(tmp_path / "switch@.service")
    (tmp_path / "switch@.service").write_text(UNIT)
    (tmp_path / "nftables.conf").write_text(DROP_IN)
    (tmp_path / "notes.nft").write_text(ruleset("evenkeel_notes", PORTS, "green"))
    states = {"notes@green.service": "active", "evenkeel-switch@notes.service": "active"}

    def show(*units: str) -> list[dict[str, str]]:
        return [{"ActiveState": states.get(unit, "inactive"), "NRestarts": "0"} for unit in units]

    monkeypatch.setattr(_instances, "SWITCH_UNIT_FILE", str(tmp_path / "switch@.service"))
    monkeypatch.setattr(_instances, "DROP_IN_FILE", str(tmp_path / "nftables.conf"))
    monkeypatch.setattr(_systemd, "show", show)
    monkeypatch.setattr(_nft, "list_table", lambda _table: GREEN)
    return Place(tmp_path, layout, states)


def test_everything_that_a_rollout_has_to_know(place: Place) -> None:
    seen = _instances.observe(place.layout, PORTS)
    assert (seen["current"], seen["previous"], seen["switch"], seen["lasts"]) == (OTHER, ID, "green", True)
    assert sorted(seen["releases"]) == [ID, OTHER]
    green = seen["slots"]["green"]
    assert (green["release"], green["running"], green["enabled"], green["state"]) == (OTHER, True, True, "active")
    blue = seen["slots"]["blue"]
    assert (blue["release"], blue["running"], blue["enabled"], blue["state"]) == ("", False, False, "inactive")


NEW_PORTS = [Ports(8000, 8101, 8102), Ports(9100, 9101, 9102)]


def say_ports(place: Place, release: str, **ports: int) -> None:
    said = {"ports": [ports], "live_path": "/health"} if ports else {}
    (place.root / "releases" / release / "release.json").write_text(json.dumps(said))


def test_what_serves_is_seen_by_its_own_ports_whatever_is_given(place: Place) -> None:
    say_ports(place, OTHER, public=8000, blue=8001, green=8002)
    seen = _instances.observe(place.layout, NEW_PORTS)
    assert (seen["switch"], seen["lasts"], seen["serves_at"]) == ("green", True, 8000)
    assert seen["endpoints"] == {OTHER: {"public": 8000, "blue": 8001, "green": 8002, "live_path": "/health"}}


def test_where_a_release_does_not_say_its_ports_the_given_ones_count(place: Place) -> None:
    assert _instances.observe(place.layout, PORTS)["serves_at"] == 8000
    assert _instances.observe(place.layout, NEW_PORTS)["switch"] == "absent"
    say_ports(place, OTHER)
    assert _instances.observe(place.layout, NEW_PORTS)["switch"] == "absent"


def test_ports_that_were_swapped_do_not_swap_the_slots(place: Place) -> None:
    say_ports(place, OTHER, public=8000, blue=8001, green=8002)
    assert _instances.observe_switch(place.layout, [Ports(8000, 8002, 8001)]) == ("green", PORTS)


def test_a_switch_that_leads_to_ports_of_another_release_is_put_in_place_again(place: Place) -> None:
    say_ports(place, OTHER, public=8000, blue=8101, green=8102)
    say_ports(place, ID, public=8000, blue=8001, green=8002)
    seen = _instances.observe(place.layout, NEW_PORTS)
    assert (seen["switch"], seen["lasts"]) == ("green", False)


def test_nobody_is_served_by_an_instance_that_is_down(place: Place) -> None:
    place.states.pop("notes@green.service")
    assert _instances.observe(place.layout, PORTS)["serves_at"] == 0


def test_ports_that_an_earlier_release_had_may_be_closed_still(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = json.loads((Path(__file__).parent / "fixtures/nft-1.1.3-notes-closed.json").read_text())
    monkeypatch.setattr(_nft, "list_table", lambda _table: closed)
    say_ports(place, ID, public=8000, blue=8001, green=8002)
    (place.root / "slots/green").unlink()
    assert _instances.observe_switch(place.layout, NEW_PORTS) == ("closed", PORTS)
    (place.root / "notes.nft").write_text(ruleset("evenkeel_notes", PORTS, "closed"))
    assert _instances.observe(place.layout, NEW_PORTS)["lasts"]


def test_memory() -> None:
    text = "MemTotal:        2048 kB\nMemFree:          10 kB\nMemAvailable:     1024 kB\n"
    assert _instances.memory_of(text) == {"total": 2 << 20, "available": 1 << 20}
    assert _instances.memory_of("") == {"total": 0, "available": 0}


@pytest.mark.parametrize(
    "harm",
    [
        lambda place: (place.root / "notes.nft").write_text(ruleset("evenkeel_notes", PORTS, "blue")),
        lambda place: (place.root / "notes.nft").unlink(),
        lambda place: (place.root / "switch@.service").write_text("[Unit]\n"),
        lambda place: (place.root / "nftables.conf").unlink(),
        lambda place: (place.root / "wants/switch").unlink(),
        # Killed after the rules were loaded and before the unit was started.
        lambda place: place.states.pop("evenkeel-switch@notes.service"),
    ],
    ids=["rules of another position", "no rules", "unit of old", "flushed by nftables", "not enabled", "not started"],
)
def test_a_switch_that_would_not_survive(place: Place, harm: t.Callable[[Place], t.Any]) -> None:
    harm(place)
    seen = _instances.observe(place.layout, PORTS)
    assert (seen["switch"], seen["lasts"]) == ("green", False)


@pytest.mark.usefixtures("place")
def test_a_host_without_a_switch(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nft, "list_table", lambda _table: None)
    assert _instances.observe(place.layout, PORTS)["switch"] == "absent"

    def missing(_table: str) -> None:
        raise FileNotFoundError("nft is not on this host")

    monkeypatch.setattr(_nft, "list_table", missing)
    seen = _instances.observe(place.layout, PORTS)
    assert (seen["switch"], seen["lasts"]) == ("absent", False)
