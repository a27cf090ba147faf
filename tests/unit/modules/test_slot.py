# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _connections, _installed, _instances, _systemd
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
    """The layout of a service whose units and state lie in the test's own directory."""

    def unit_link(self, slot: str) -> str:
        return f"{self.root}/units/{self.unit(slot)}"

    def enabled_link(self, slot: str) -> str:
        return f"{self.root}/units/wants/{self.unit(slot)}"

    @property
    def state(self) -> str:
        return f"{self.root}/state"


class Systemd:
    """Notes what it is asked to do. As the real one, it refuses to stop a unit of which there is no file."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.running: set[str] = set()
        self.broken: set[str] = set()
        self.asked: list[str] = []

    def run(self, verb: str, *arguments: str) -> str:
        units = arguments[arguments.index("--") + 1 :] if "--" in arguments else ()
        if verb == "show":
            states = ("active" if unit in self.running else "inactive" for unit in units)
            return "\n".join(f"ActiveState={state}\nNRestarts=0\n" for state in states)
        self.asked.append(" ".join((verb, *units)))
        for unit in units:
            if verb == "start" and unit in self.broken:
                raise OSError(f"systemctl start -- {unit} failed: Job for {unit} failed.")
            if verb == "stop" and not os.path.lexists(f"{self.layout.root}/units/{unit}"):
                raise OSError(f"systemctl stop -- {unit} failed: Unit {unit} not loaded.")
        return ""


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayoutHere:
    layout = LayoutHere("notes", str(tmp_path))
    monkeypatch.setattr(Layout, "of", lambda *_arguments: layout)
    return layout


@pytest.fixture
def systemd(layout: LayoutHere, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    systemd = Systemd(layout)
    monkeypatch.setattr(_systemd, "_run", systemd.run)
    monkeypatch.setattr(_systemd, "forget_failure", lambda unit: systemd.asked.append(f"forget {unit}"))
    return systemd


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the switch points to."""
    switch = {"position": "green"}
    monkeypatch.setattr(_instances, "observe_switch", lambda *_arguments: (switch["position"], []))
    return switch


# Ports to which nothing on the machine of the test is connected.
PORTS = [{"public": 3, "blue": 1, "green": 2}]
STOPPED = {"service": "notes", "ports": PORTS, "slot": "blue", "state": "stopped"}
LINKS = {"slot": f"../releases/{ID}/blue", "unit_link": "somewhere", "enabled_link": "somewhere"}


def leave(layout: Layout, links: t.Iterable[str]) -> None:
    for name in links:
        link = Path(getattr(layout, name)("blue"))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(LINKS[name])


@pytest.mark.usefixtures("switch")
@pytest.mark.parametrize(
    "left", [("slot",), ("slot", "unit_link"), ("slot", "enabled_link"), ("enabled_link",)], ids=str
)
def test_a_slot_that_a_killed_run_half_emptied(
    run: t.Any, layout: LayoutHere, systemd: Systemd, left: tuple[str, ...]
) -> None:
    leave(layout, left)
    result = run(slot, **STOPPED)
    assert (result["changed"], result.get("failed")) == (True, None)
    assert not [name for name in LINKS if os.path.lexists(getattr(layout, name)("blue"))]
    assert not [asked for asked in systemd.asked if asked.startswith("stop ")]
    assert not run(slot, **STOPPED)["changed"]


@pytest.mark.usefixtures("switch")
def test_an_instance_is_stopped_before_its_unit_goes(run: t.Any, layout: LayoutHere, systemd: Systemd) -> None:
    leave(layout, LINKS)
    systemd.running = {"notes@blue.service"}
    assert run(slot, **STOPPED)["changed"]
    assert systemd.asked == ["stop notes@blue.service", "forget notes@blue.service", "daemon-reload"]


def stage(layout: Layout, release: str, *files: str) -> Path:
    """Stage a release of these files; one of none is not whole."""
    folder = Path(layout.release(release))
    (folder / "blue").mkdir(parents=True)
    for name in files:
        (folder / name).touch()
    said = {"ports": [{"public": 3, "blue": 8, "green": 9}], "tree": _installed.tree(str(folder)) or {"a": []}}
    (folder / "release.json").write_text(json.dumps(said))
    return folder


@pytest.mark.usefixtures("switch")
def test_an_instance_is_drained_where_its_own_release_listens(
    run: t.Any, layout: LayoutHere, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(layout, LINKS)
    stage(layout, ID)
    systemd.running = {"notes@blue.service"}
    asked = []
    monkeypatch.setattr(_connections, "count_on_host", lambda ports: asked.append(ports) or 0)
    assert run(slot, **STOPPED)["changed"]
    assert asked == [{8}]


@pytest.mark.usefixtures("switch")
@pytest.mark.parametrize("harm", [lambda _folder: None, lambda folder: (folder / "release.json").unlink()])
def test_for_a_damaged_release_nothing_is_stopped(
    run: t.Any, layout: LayoutHere, systemd: Systemd, harm: t.Callable[[Path], None]
) -> None:
    leave(layout, LINKS)
    harm(stage(layout, OTHER))
    systemd.running = {"notes@blue.service"}
    result = run(slot, **{**STOPPED, "state": "started", "release": OTHER})
    assert result["failed"]
    assert f"release {OTHER} is not staged, or not whole" in result["msg"]
    assert systemd.asked == []
    assert os.readlink(layout.slot("blue")) == LINKS["slot"]


@pytest.mark.parametrize("wanted", [STOPPED, {**STOPPED, "state": "started", "release": OTHER}])
def test_the_slot_that_carries_the_traffic_is_left_alone(
    run: t.Any, layout: LayoutHere, systemd: Systemd, switch: dict[str, str], wanted: dict[str, t.Any]
) -> None:
    leave(layout, LINKS)
    systemd.running = {"notes@blue.service"}
    switch["position"] = "blue"
    result = run(slot, **wanted)
    assert result["failed"]
    assert f"slot blue of notes carries the traffic (release {ID})" in result["msg"]
    assert systemd.asked == []
    assert all(os.path.lexists(getattr(layout, name)("blue")) for name in LINKS)


@pytest.mark.usefixtures("switch")
def test_check_mode_predicts_and_touches_nothing(run: t.Any, layout: LayoutHere, systemd: Systemd) -> None:
    leave(layout, LINKS)
    systemd.running = {"notes@blue.service"}
    assert run(slot, check=True, **STOPPED)["changed"]
    assert systemd.asked == []
    assert all(os.path.lexists(getattr(layout, name)("blue")) for name in LINKS)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"slot": "red"}, "value of slot must be one of: blue, green, got: red"),
        ({}, "state is started but all of the following are missing: release"),
        ({"release": ID, "service": "../x"}, "service is '../x'; it wants a lower-case name"),
    ],
)
def test_bad_arguments(run: t.Any, arguments: dict[str, t.Any], complaint: str) -> None:
    result = run(slot, **{"service": "notes", "slot": "blue", "ports": PORTS, **arguments})
    assert result["failed"]
    assert complaint in result["msg"]


ENDED = ["notes is crashing", "notes@blue.service: Main process exited, code=exited, status=1/FAILURE"]


@pytest.mark.usefixtures("switch")
@pytest.mark.parametrize(
    ("journal", "said"),
    [
        (ENDED, "notes@blue.service did not stay up: it exited with 1/FAILURE and said last: notes is crashing"),
        ([], "systemctl start -- notes@blue.service failed: Job for notes@blue.service failed."),
    ],
    ids=["known", "not known"],
)
def test_how_a_program_ended_says_more_than_that_its_unit_did_not_start(
    run: t.Any, layout: LayoutHere, systemd: Systemd, monkeypatch: pytest.MonkeyPatch, journal: list[str], said: str
) -> None:
    stage(layout, OTHER, "notes")
    for link in (layout.slot("blue"), layout.enabled_link("blue")):
        Path(link).parent.mkdir(parents=True, exist_ok=True)
    systemd.broken = {"notes@blue.service"}
    monkeypatch.setattr(_systemd, "journal", lambda *_arguments: journal)
    result = run(slot, **{**STOPPED, "state": "started", "release": OTHER})
    assert (result["failed"], result["msg"], result["journal"]) == (True, said, journal)
