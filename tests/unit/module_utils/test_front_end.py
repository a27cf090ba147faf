# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._front_end import check_page, gather, stamp
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout

ONE, TWO, THREE = (f"{number}-{number * 12}" for number in "123")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    for release_id in (ONE, TWO, THREE):
        assets = tmp_path / f"releases/{release_id}/artifact/assets"
        assets.mkdir(parents=True)
        (assets / f"app-{release_id[0]}.js").write_text(release_id)
        (assets / "logo.svg").write_text(release_id)
        (assets / "latest.js").symlink_to(f"app-{release_id[0]}.js")
    (tmp_path / "current").symlink_to(f"releases/{ONE}")
    return Layout.of("shop", str(tmp_path))


def test_files_of_all_are_together_and_the_current_one_goes_first(layout: Layout) -> None:
    gather(layout, [ONE, TWO])
    assets = Path(layout.kept, "assets")
    assert sorted(os.listdir(assets)) == ["app-1.js", "app-2.js", "latest.js", "logo.svg"]
    assert (assets / "logo.svg").read_text() == ONE
    assert os.readlink(assets / "latest.js") == "app-1.js"


def test_what_a_request_was_just_led_to_stays_for_it(layout: Layout) -> None:
    trees = []
    for releases in ([ONE], [ONE, TWO], [ONE, TWO, THREE]):
        gather(layout, releases)
        trees.append(os.readlink(layout.kept))
    assert sorted(name for name in os.listdir(layout.root) if name.startswith(".kept-")) == sorted(trees[1:])


def test_the_same_releases_are_gathered_once(layout: Layout) -> None:
    gather(layout, [ONE, TWO])
    before = os.stat(layout.kept).st_ino
    gather(layout, [TWO, ONE])
    assert os.stat(layout.kept).st_ino == before


def test_a_tree_that_was_lost_is_made_again(layout: Layout) -> None:
    gather(layout, [ONE])
    os.rename(os.path.realpath(layout.kept), f"{layout.root}/elsewhere")
    gather(layout, [ONE])
    assert os.path.isdir(layout.kept)


def test_times_follow_from_the_release(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("")
    times = []
    for release_id in (ONE, TWO, ONE):
        stamp(str(tmp_path), release_id)
        times.append((tmp_path / "page").stat().st_mtime)
    assert times[0] == times[2] != times[1]


def test_the_page_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    with pytest.raises(ValueError, match=r"no page index\.html; at its top there are: dist$"):
        check_page(str(tmp_path), "index.html")
    (tmp_path / "index.html").write_text("")
    check_page(str(tmp_path), "index.html")


def test_what_was_a_file_and_is_a_directory_is_what_it_is_now(layout: Layout) -> None:
    for release_id, path in ((ONE, "artifact/docs/a.html"), (TWO, "artifact/docs"), (THREE, "artifact/docs/b.html")):
        page = Path(layout.release(release_id), path)
        page.parent.mkdir(exist_ok=True)
        page.write_text("")
    gather(layout, [ONE, TWO, THREE])
    assert sorted(os.listdir(f"{layout.kept}/docs")) == ["a.html", "b.html"]
    Path(layout.current).unlink()
    Path(layout.current).symlink_to(f"releases/{TWO}")
    gather(layout, [ONE, TWO, THREE])
    assert os.path.isfile(f"{layout.kept}/docs")
