# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _state
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._lease import Lease


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(Layout, "state", f"{tmp_path}/state")
    monkeypatch.setattr(os, "fchown", lambda *_args: None)
    return Layout.of("notes", f"{tmp_path}/notes")


def test_a_lease_is_read_back_as_it_was_written_and_then_gone(layout: Layout) -> None:
    lease = Lease("r1", "ann@control", "p1", taken=1.5, expires=301.5, ttl=300.0)
    with _state.locked(layout):
        _state.write_lease(layout, lease)
        assert _state.read_lease(layout) == lease
        _state.drop_lease(layout)
    assert _state.read_lease(layout) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rollout": 1}'])
def test_a_damaged_lease_counts_as_none(layout: Layout, text: str) -> None:
    Path(layout.state).mkdir()
    Path(layout.state, "lease.json").write_text(text)
    assert _state.read_lease(layout) is None


def test_the_journal_returns_its_last_entries_oldest_first(layout: Layout) -> None:
    for number in range(5):
        _state.record(layout, {"number": number})
    assert _state.history(layout, 3) == [{"number": 2}, {"number": 3}, {"number": 4}]


def test_a_line_that_a_crash_cut_short_costs_only_itself(layout: Layout) -> None:
    _state.record(layout, {"number": 1})
    with Path(layout.state, "journal.jsonl").open("a") as journal:
        journal.write('{"numb')
    _state.record(layout, {"number": 2})
    assert _state.history(layout, 10) == [{"number": 1}, {"number": 2}]


def test_what_an_instance_said_last_is_for_root_alone(layout: Layout) -> None:
    _state.record(layout, {"number": 1})
    journal = Path(layout.state, "journal.jsonl")
    assert journal.stat().st_mode & 0o777 == 0o600
    # Earlier versions let everybody read it.
    journal.chmod(0o644)
    _state.record(layout, {"number": 2})
    assert journal.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("rollout", "check_mode", "refused"),
    [
        ("r1", False, False),
        ("r2", False, True),
        (None, False, True),
        (None, True, True),
        # In check mode r2 took no lease; that it may have it, it was told when it asked.
        ("r2", True, False),
    ],
)
def test_who_may_write_while_r1_holds_the_lease(
    layout: Layout, rollout: str | None, check_mode: bool, refused: bool
) -> None:
    _state.write_lease(layout, Lease.begun("r1", "ann@control", "p1", time.time(), 300))
    module = SimpleNamespace(params={"rollout": rollout}, check_mode=check_mode)
    with pytest.raises(ValueError, match="r1 of ann@control") if refused else nullcontext():
        _state.check_write(layout, module)


def test_each_write_of_a_rollout_renews_its_lease(layout: Layout) -> None:
    _state.write_lease(layout, Lease.begun("r1", "ann@control", "p1", time.time() - 200, 300))
    _state.check_write(layout, SimpleNamespace(params={"rollout": "r1"}, check_mode=False))
    renewed = _state.read_lease(layout)
    assert renewed is not None
    assert renewed.expires > time.time() + 290
