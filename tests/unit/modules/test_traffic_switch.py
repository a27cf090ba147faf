# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _instances, _nft, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import Ports
from ansible_collections.evenkeel.fleet.plugins.modules import traffic_switch

GIVEN, OLD = Ports(8000, 8001, 8002), Ports(8000, 8011, 8012)
ARGUMENTS = {"service": "notes", "ports": [{"public": 8000, "blue": 8001, "green": 8002}], "position": "green"}


class Kernel:
    """The position of the switch, whether it lasts, and what was done about it."""

    def __init__(self) -> None:
        self.position, self.ports, self.lasts, self.done = "green", [GIVEN], True, list[str]()
        self.written = ""

    def write(self, path: str, content: bytes, _mode: int) -> None:
        self.done.append(f"write {Path(path).name}")
        self.written = content.decode() if path.endswith(".nft") else self.written


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(Layout, "state", str(tmp_path))
    monkeypatch.setattr(_instances, "observe_switch", lambda *_arguments: (kernel.position, kernel.ports))
    monkeypatch.setattr(
        _instances, "switch_lasts", lambda _layout, _ports, position: kernel.lasts and position == kernel.position
    )
    monkeypatch.setattr(_files, "write_file", kernel.write)
    monkeypatch.setattr(_files, "replace_link", lambda path, _to: kernel.done.append(f"link {Path(path).name}"))
    monkeypatch.setattr(_systemd, "daemon_reload", lambda: kernel.done.append("reload"))
    monkeypatch.setattr(_systemd, "start", lambda unit: kernel.done.append(f"start {unit}"))
    monkeypatch.setattr(_nft, "load", lambda path: kernel.done.append(f"load {Path(path).name}"))
    return kernel


def test_nothing_is_done_where_the_switch_is_in_place(run: t.Any, kernel: Kernel) -> None:
    assert not run(traffic_switch, **ARGUMENTS)["changed"]
    assert kernel.done == []


def test_the_file_comes_before_the_kernel_and_the_unit_last(run: t.Any, kernel: Kernel) -> None:
    kernel.position = "blue"
    result = run(traffic_switch, **ARGUMENTS)
    assert result["changed"]
    assert result["diff"] == {"before": {"position": "blue"}, "after": {"position": "green"}}
    assert kernel.done[0] == "write notes.nft"
    assert kernel.done[-2:] == ["load notes.nft", "start evenkeel-switch@notes.service"]


def test_a_position_that_would_not_survive_a_reboot_is_put_in_place_again(run: t.Any, kernel: Kernel) -> None:
    kernel.lasts = False
    assert run(traffic_switch, **ARGUMENTS)["changed"]
    assert kernel.done[-1] == "start evenkeel-switch@notes.service"


@pytest.fixture
def old_release_in_green(tmp_path: Path) -> None:
    """One that was staged with other ports than are given now."""
    folder = tmp_path / "releases/1.0.0-000000000001"
    folder.mkdir(parents=True)
    (folder / "release.json").write_text(json.dumps({"ports": [{"public": 8000, "blue": 8011, "green": 8012}]}))
    (tmp_path / "slots").mkdir()
    (tmp_path / "slots/green").symlink_to("../releases/1.0.0-000000000001/green")


@pytest.mark.usefixtures("old_release_in_green")
def test_it_leads_to_where_the_release_in_the_slot_listens(run: t.Any, kernel: Kernel, tmp_path: Path) -> None:
    here = {**ARGUMENTS, "root": str(tmp_path)}
    assert run(traffic_switch, **here)["changed"]
    assert "redirect to :8012" in kernel.written
    kernel.ports, kernel.done = [OLD], []
    assert not run(traffic_switch, **here)["changed"]
    assert kernel.done == []


def test_the_ports_that_it_has_are_the_ones_that_are_closed(run: t.Any, kernel: Kernel) -> None:
    kernel.ports = [Ports(9000, 9001, 9002)]
    assert run(traffic_switch, **{**ARGUMENTS, "position": "closed"})["changed"]
    assert "tcp dport 9000 ct state new reject" in kernel.written
    assert "8000" not in kernel.written


def test_check_mode_predicts_and_touches_nothing(run: t.Any, kernel: Kernel) -> None:
    kernel.position = "closed"
    assert run(traffic_switch, check=True, **ARGUMENTS)["changed"]
    assert kernel.done == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"position": "up"}, "value of position must be one of: blue, green, closed, got: up"),
        ({"ports": []}, "ports is empty; a switch wants at least one port"),
        ({"rollout": "lost"}, "rollout lost does not hold the lease any more"),
    ],
)
def test_bad_arguments(run: t.Any, kernel: Kernel, arguments: dict[str, t.Any], complaint: str) -> None:
    kernel.position = "blue"
    result = run(traffic_switch, **{**ARGUMENTS, **arguments})
    assert result["failed"]
    assert complaint in result["msg"]
    assert kernel.done == []
