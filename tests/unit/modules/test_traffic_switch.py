# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _instances, _nft, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.modules import traffic_switch

ARGUMENTS = {"service": "notes", "ports": [{"public": 8000, "blue": 8001, "green": 8002}], "position": "green"}


class Kernel:
    """The position of the switch, whether it lasts, and what was done about it."""

    def __init__(self) -> None:
        self.position, self.lasts, self.done = "green", True, list[str]()


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(Layout, "state", str(tmp_path))
    monkeypatch.setattr(_instances, "observe_switch", lambda *_arguments: kernel.position)
    monkeypatch.setattr(
        _instances, "switch_lasts", lambda _layout, _ports, position: kernel.lasts and position == kernel.position
    )
    monkeypatch.setattr(_files, "read_text", lambda _path: None)
    monkeypatch.setattr(_files, "write_file", lambda path, *_more: kernel.done.append(f"write {Path(path).name}"))
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
