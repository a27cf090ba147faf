# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import hashlib
import os
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _front_end, _systemd
from ansible_collections.evenkeel.fleet.plugins.modules import release


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may give files away, and there is no unit to judge."""
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    monkeypatch.setattr(_systemd, "unit_complaints", pytest.fail)


@pytest.fixture
def bring(run: t.Any, tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Stages a version whose page and script name it, and perhaps makes it current."""

    def act(version: str, current: bool = True, files: t.Sequence[str] = (), **more: t.Any) -> dict[str, t.Any]:
        source = tmp_path / f"source-{version}"
        for name in files or ("index.html", f"assets/app-{version}.js", "assets/logo.svg"):
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"version {version}")
            os.utime(path, (0, 0))
        with tarfile.open(tmp_path / "front.tar", "w") as tar:
            tar.add(source, ".")
        where = {"service": "shop", "root": f"{tmp_path}/shop"}
        artifact = tmp_path / "front.tar"
        staged: dict[str, t.Any] = run(
            release,
            **where,
            version=version,
            artifact=str(artifact),
            artifact_sha256=hashlib.sha256(artifact.read_bytes()).hexdigest(),
            remote_src=True,
            **{name: value for name, value in more.items() if not name.startswith("keep")},
        )
        if current:
            keep = {name: value for name, value in more.items() if name.startswith("keep")}
            return t.cast("dict[str, t.Any]", run(release, **where, state="current", id=staged["id"], **keep))
        return staged

    return act


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "shop/kept/assets").iterdir())


def test_files_of_what_is_staged_and_of_what_was_current_are_reachable(bring: t.Any, tmp_path: Path) -> None:
    bring("1")
    bring("2", current=False)
    assert (tmp_path / "shop/current/artifact/index.html").read_text() == "version 1"
    assert kept(tmp_path) == ["app-1.js", "app-2.js", "logo.svg"]
    bring("2")
    assert (tmp_path / "shop/current/artifact/index.html").read_text() == "version 2"
    assert kept(tmp_path) == ["app-1.js", "app-2.js", "logo.svg"]
    assert (tmp_path / "shop/kept/assets/logo.svg").read_text() == "version 2"


def test_what_was_current_long_ago_goes(bring: t.Any, tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        bring(version, keep=0)
    assert kept(tmp_path) == ["app-2.js", "app-3.js", "logo.svg"]
    for version in ("4", "5"):
        bring(version, keep=0, keep_seconds=3600)
    assert kept(tmp_path) == ["app-2.js", "app-3.js", "app-4.js", "app-5.js", "logo.svg"]


def test_a_second_run_changes_nothing_and_mends_what_was_cut_off(bring: t.Any, tmp_path: Path) -> None:
    bring("1")
    before = os.readlink(tmp_path / "shop/kept")
    (tmp_path / "shop/kept").unlink()
    assert not bring("1", current=False)["changed"]
    assert os.readlink(tmp_path / "shop/kept") == before
    assert not bring("1")["changed"]


def test_times_differ_from_release_to_release_and_follow_from_it(bring: t.Any, tmp_path: Path) -> None:
    times = []
    for version in ("1", "2"):
        bring(version)
        times.append((tmp_path / "shop/current/artifact/index.html").stat().st_mtime)
    assert times[0] != times[1]
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("")
    _front_end.stamp(str(page), os.path.basename(os.readlink(tmp_path / "shop/current")))
    assert (page / "index.html").stat().st_mtime == times[1]


def test_a_front_end_wants_a_page_to_begin_with(bring: t.Any) -> None:
    said = bring("1", current=False, files=["dist/index.html"])
    assert said["failed"]
    assert "it holds no page index.html; at its top there are: dist" in said["msg"]


def test_a_front_end_has_no_instances_to_give_something_to(bring: t.Any) -> None:
    said = bring("1", current=False, environment={"A": "1"}, secrets={"B": "2"})
    assert said["failed"]
    assert said["msg"].startswith("environment, secrets given without a unit")
