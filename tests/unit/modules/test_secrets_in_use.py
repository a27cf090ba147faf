# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import environment_file
from ansible_collections.evenkeel.fleet.plugins.modules import secrets_in_use


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service whose current release has a secret of either kind."""
    monkeypatch.setattr(Layout, "state", str(tmp_path / "state"))
    release = tmp_path / "current/blue"
    (release / "credentials").mkdir(parents=True)
    (release / "environment").write_text(environment_file({"PORT": 8001, "TOKEN": "t$"}))
    (release / "credentials/KEY").write_text("k\n")
    return tmp_path


def ask(run: t.Any, root: Path, **secrets: dict[str, str]) -> tuple[list[str], list[str]]:
    result = run(secrets_in_use, service="notes", root=str(root), **secrets)
    assert not result["changed"]
    return result["in_use"], result["missing"]


def test_what_is_the_same_is_in_use(run: t.Any, root: Path) -> None:
    assert ask(run, root, secrets={"TOKEN": "t$"}, credentials={"KEY": "k\n"}) == (["KEY", "TOKEN"], [])
    assert ask(run, root, secrets={"TOKEN": "new"}, credentials={"KEY": "k"}) == ([], ["KEY", "TOKEN"])
    assert ask(run, root, secrets={"OTHER": "t$"}, credentials={"MORE": "k"}) == ([], ["MORE", "OTHER"])


def test_a_host_without_a_release_misses_nothing(run: t.Any, root: Path) -> None:
    assert ask(run, root / "elsewhere", secrets={"TOKEN": "t$"}) == ([], [])


def test_neither_does_one_that_is_retired(run: t.Any, root: Path) -> None:
    (root / "state").mkdir()
    (root / "state/retired").touch()
    assert ask(run, root, secrets={"TOKEN": "new"}) == ([], [])
