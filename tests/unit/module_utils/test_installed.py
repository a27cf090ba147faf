# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _installed
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout

OLD, NEW, NEWEST = "2.0-0123456789ab", "1.0-0123456789ab", "3.0-0123456789ab"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Three releases, and what a run left behind that was killed."""
    there = Layout.of("notes", f"{tmp_path}/notes")
    for age, name in enumerate([OLD, NEW, NEWEST, ".staging-left-behind"]):
        os.makedirs(f"{there.releases}/{name}")
        os.utime(f"{there.releases}/{name}", (age, age))
    return there


def test_no_releases(tmp_path: Path) -> None:
    assert _installed.releases(Layout.of("notes", str(tmp_path))) == []
    assert _installed.linked(Layout.of("notes", str(tmp_path))) == set()


def test_releases_are_told_oldest_first(layout: Layout) -> None:
    assert _installed.releases(layout) == [OLD, NEW, NEWEST]
    _installed.remove(layout, NEW)
    assert _installed.releases(layout) == [OLD, NEWEST]


def test_a_release_that_another_run_replaces_just_then_is_left_out(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = os.listdir(layout.releases)
    monkeypatch.setattr(os, "listdir", lambda _path: [*there, "4.0-0123456789ab"])
    assert _installed.releases(layout) == [OLD, NEW, NEWEST]


def test_what_a_link_leads_to_is_in_use(layout: Layout) -> None:
    os.symlink(f"releases/{OLD}", layout.current)
    os.makedirs(f"{layout.root}/slots")
    os.symlink(f"../releases/{NEWEST}/green", layout.slot("green"))
    assert _installed.linked(layout) == {OLD, NEWEST}


def test_a_release_that_is_not_there_is_not_whole(layout: Layout) -> None:
    assert not _installed.is_whole(layout, "4.0-0123456789ab")


@pytest.mark.parametrize("said", ["", "{", "[]", '{"tree": {}}'])
def test_one_that_does_not_say_what_it_was_staged_with_is_not_whole(layout: Layout, said: str) -> None:
    Path(layout.release(OLD), "release.json").write_text(said, encoding="utf-8")
    assert not _installed.is_whole(layout, OLD)


def test_a_directory_behind_a_link_is_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libx.so").write_text("library", encoding="utf-8")
    (tmp_path / "lib64").symlink_to("lib")
    tree = _installed.tree(str(tmp_path))
    assert sorted(tree) == ["lib/libx.so", "lib64"]
    assert tree["lib64"] == ["link", "lib"]
