# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may give files away."""
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)


@pytest.fixture(params=[0o022, 0o077, 0o000], ids=oct)
def umask(request: pytest.FixtureRequest) -> t.Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.lstat().st_mode))


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    _files.write_file(f"{tmp_path}/a/b/secret", b"x", 0o600)
    _files.write_file(f"{tmp_path}/a/b/public", b"x", 0o644)
    _files.replace_link(f"{tmp_path}/c/link", "x")
    assert mode(tmp_path / "a/b/secret") == "0o600"
    assert mode(tmp_path / "a/b/public") == "0o644"
    assert {mode(tmp_path / folder) for folder in ("a", "a/b", "c")} == {"0o755"}


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir(mode=0o700)
    _files.write_file(f"{tmp_path}/own/x", b"x", 0o644)
    assert mode(tmp_path / "own") == "0o700"


def test_write_file_replaces(tmp_path: Path) -> None:
    path = tmp_path / "f"
    _files.write_file(str(path), b"old", 0o644)
    with path.open("rb") as reader:
        _files.write_file(str(path), b"new", 0o600)
        assert reader.read() == b"old", "who has the old file open keeps it whole"
    assert (path.read_bytes(), mode(path)) == (b"new", "0o600")
    assert names(tmp_path) == ["f"]


def test_write_file_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "f").symlink_to("target")
    _files.write_file(f"{tmp_path}/f", b"new", 0o644)
    assert (tmp_path / "target").read_text() == "precious"
    assert not (tmp_path / "f").is_symlink()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    _files.write_file(str(path), b"old", 0o644)

    def full(_fd: int) -> t.NoReturn:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        _files.write_file(str(path), b"new", 0o644)
    assert path.read_bytes() == b"old"


def test_write_new_does_not_replace(tmp_path: Path) -> None:
    _files.write_new(f"{tmp_path}/f", b"old", 0o644)
    with pytest.raises(FileExistsError):
        _files.write_new(f"{tmp_path}/f", b"new", 0o644)
    assert (tmp_path / "f").read_bytes() == b"old"


def test_write_new_is_never_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(os, "fchown", lambda fd, *_ids: seen.append(oct(stat.S_IMODE(os.fstat(fd).st_mode))))
    _files.write_new(f"{tmp_path}/f", b"secret", 0o640, group=4242)
    assert seen == ["0o600"]


def test_write_file_gives_the_file_to_the_group_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, bool]] = []
    path = tmp_path / "f"
    monkeypatch.setattr(os, "fchown", lambda _fd, _user, group: seen.append((group, path.exists())))
    _files.write_file(str(path), b"secret", 0o640, group=4242)
    assert seen == [(4242, False)]


def test_replace_link(tmp_path: Path) -> None:
    link = tmp_path / "slots/blue"
    for target in ("../releases/a", "../releases/b"):
        _files.replace_link(str(link), target)
        assert _files.read_link(str(link)) == target
    assert names(tmp_path / "slots") == ["blue"]


def test_replace_link_does_not_follow(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("dir")
    _files.replace_link(f"{tmp_path}/link", "elsewhere")
    assert os.readlink(tmp_path / "link") == "elsewhere"
    assert names(tmp_path / "dir") == []


def test_remove_link(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_text("precious")
    for name in ("dangling", "file", "absent"):
        _files.remove_link(f"{tmp_path}/{name}")
    assert names(tmp_path) == ["file"]


def test_what_is_not_there_reads_as_nothing(tmp_path: Path) -> None:
    assert _files.read_text(f"{tmp_path}/absent") is None
    assert _files.read_link(f"{tmp_path}/absent") == ""
    (tmp_path / "file").write_text("x")
    assert _files.read_link(f"{tmp_path}/file") == ""
    assert _files.read_link(f"{tmp_path}/file/below") == ""


def test_publish_a_new_directory(tmp_path: Path) -> None:
    (tmp_path / ".staged/d").mkdir(parents=True)
    (tmp_path / ".staged/d/f").write_text("new")
    (tmp_path / ".staged/link").symlink_to("nowhere")
    _files.publish(f"{tmp_path}/.staged", f"{tmp_path}/r")
    assert (tmp_path / "r/d/f").read_text() == "new"
    assert names(tmp_path) == ["r"]


def test_publish_over_an_existing_directory(tmp_path: Path) -> None:
    for name in ("r", ".staged"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    (tmp_path / "r/old").write_text("old")
    _files.publish(f"{tmp_path}/.staged", f"{tmp_path}/r")
    assert (tmp_path / "r/f").read_text() == ".staged"
    assert names(tmp_path / "r") == ["f"]
    assert names(tmp_path) == ["r"]
