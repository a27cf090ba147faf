# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.modules import config_tree

# Accepts a tree unless a file in it says "broken"; taking one is noted, and refused if a file says "refused".
CHECK = ["sh", "-c", 'if grep -q broken "$0/main.conf"; then echo "$0/main.conf: broken" >&2; exit 1; fi', "{tree}"]
APPLY = 'cat "$0/main.conf" >>"$1"; ! grep -q refused "$0/main.conf"'


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may give files away."""
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, t.Any]:
    return {
        "path": f"{tmp_path}/tree",
        "files": {"main.conf": "one\n", "hooks/run": "#!/bin/sh\n"},
        "validate": CHECK,
        "apply": ["sh", "-c", APPLY, "{tree}", f"{tmp_path}/taken"],
        "links": {f"{tmp_path}/main.conf": "main.conf"},
    }


def with_main(arguments: dict[str, t.Any], text: str) -> dict[str, t.Any]:
    return {**arguments, "files": {**arguments["files"], "main.conf": text}}


def taken(tmp_path: Path) -> list[str]:
    path = tmp_path / "taken"
    return path.read_text().splitlines() if path.exists() else []


def test_a_tree_is_put_in_force_once(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    assert run(config_tree, check=True, **arguments)["changed"]
    assert not (tmp_path / "tree").exists()
    first, second = run(config_tree, **arguments), run(config_tree, **arguments)
    assert (first["changed"], second["changed"]) == (True, False)
    assert (tmp_path / "main.conf").read_text() == "one\n"
    assert taken(tmp_path) == ["one"]


def test_what_begins_like_a_program_may_be_run(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    tree = Path(run(config_tree, **arguments)["tree"])
    assert os.access(tree / "hooks/run", os.X_OK)
    assert not os.access(tree / "main.conf", os.X_OK)


def test_a_refused_tree_changes_nothing(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    run(config_tree, **arguments)
    before = sorted(os.listdir(tmp_path / "tree"))
    failed = run(config_tree, **with_main(arguments, "broken\n"))
    assert failed["msg"].endswith("the old ones stay in force: main.conf: broken")
    assert sorted(os.listdir(tmp_path / "tree")) == before
    assert (tmp_path / "main.conf").read_text() == "one\n"
    assert taken(tmp_path) == ["one"]


def test_a_tree_that_is_not_taken_is_withdrawn_and_tried_again(
    run: t.Any, arguments: dict[str, t.Any], tmp_path: Path
) -> None:
    run(config_tree, **arguments)
    before = sorted(os.listdir(tmp_path / "tree"))
    refused = with_main(arguments, "refused\n")
    for _attempt in range(2):
        assert "did not put the new files in force, the old ones are back" in run(config_tree, **refused)["msg"]
        assert sorted(os.listdir(tmp_path / "tree")) == before
        assert (tmp_path / "main.conf").read_text() == "one\n"
    assert run(config_tree, **with_main(arguments, "two\n"))["changed"]
    assert taken(tmp_path) == ["one", "refused", "refused", "two"]


def test_the_first_tree_is_tried_again_until_it_is_taken(
    run: t.Any, arguments: dict[str, t.Any], tmp_path: Path
) -> None:
    assert run(config_tree, **{**arguments, "apply": ["false"]})["failed"]
    assert run(config_tree, **arguments)["changed"]
    assert taken(tmp_path) == ["one"]


def test_a_first_tree_that_is_not_taken_leaves_what_was_there(
    run: t.Any, arguments: dict[str, t.Any], tmp_path: Path
) -> None:
    (tmp_path / "main.conf").write_text("Debian's\n")
    (tmp_path / "linked.conf").symlink_to("elsewhere")
    links = {**arguments["links"], f"{tmp_path}/linked.conf": "main.conf", f"{tmp_path}/new.conf": "main.conf"}
    refused = {**with_main(arguments, "refused\n"), "links": links}
    for _attempt in range(2):
        said = run(config_tree, **refused)["msg"]
        assert "there were none before, and what stood in their places is back" in said
        assert sorted(os.listdir(tmp_path)) == ["linked.conf", "main.conf", "taken", "tree"]
        assert (tmp_path / "main.conf").read_text() == "Debian's\n"
        assert os.readlink(tmp_path / "linked.conf") == "elsewhere"
        assert os.listdir(tmp_path / "tree") == []
    assert run(config_tree, **{**arguments, "links": links})["changed"]
    assert taken(tmp_path) == ["refused", "refused", "one"]


def test_a_first_tree_that_was_cut_off_is_withdrawn_all_the_same(
    run: t.Any, arguments: dict[str, t.Any], tmp_path: Path
) -> None:
    (tmp_path / "main.conf").write_text("Debian's\n")
    run(config_tree, **arguments)
    (tmp_path / "tree/applied").unlink()
    assert "there were none before" in run(config_tree, **with_main(arguments, "refused\n"))["msg"]
    assert (tmp_path / "main.conf").read_text() == "Debian's\n"
    assert not os.path.lexists(tmp_path / "tree/current")


def test_a_link_that_was_not_taken_is_withdrawn(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    run(config_tree, **arguments)
    links = {**arguments["links"], f"{tmp_path}/new.conf": "main.conf"}
    said = run(config_tree, **{**arguments, "links": links, "apply": ["false"]})["msg"]
    assert "did not put the files in force, which it took before and which stay" in said
    assert not os.path.lexists(tmp_path / "new.conf")
    assert (tmp_path / "main.conf").read_text() == "one\n"


def test_systemd_forgets_a_unit_that_was_withdrawn(
    run: t.Any, arguments: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told; ls {units} >>{tmp_path}/told\n')
    (tmp_path / "bin/systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(config_tree, "UNITS", f"{units}/")
    refused = with_main(arguments, "refused\n")
    run(config_tree, **refused)
    assert not (tmp_path / "told").exists()
    run(config_tree, **{**refused, "links": {f"{units}/one.service": "main.conf"}})
    assert (tmp_path / "told").read_text() == "daemon-reload\n"


def test_a_run_that_was_cut_off_is_made_up_for(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    run(config_tree, **arguments)
    (tmp_path / "tree/applied").unlink()
    assert run(config_tree, check=True, **arguments)["changed"]
    assert run(config_tree, **arguments)["changed"]
    assert taken(tmp_path) == ["one", "one"]


def test_strays_are_removed_whatever_they_are(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    run(config_tree, **arguments)
    tree = tmp_path / "tree"
    (tree / "stray.conf").write_text("x")
    (tree / "a-directory").mkdir()
    (tree / "a-link").symlink_to("/nowhere")
    (tree / "current/in-the-tree").write_bytes(b"\xff")
    run(config_tree, **with_main(arguments, "two\n"))
    links = {"current", "applied"}
    assert {name for name in os.listdir(tree) if len(name) != 12} == links
    assert {os.readlink(tree / name) for name in links} < set(os.listdir(tree))
    assert not (tree / "current/in-the-tree").exists()


def test_a_file_in_the_place_of_a_link_is_kept(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    (tmp_path / "main.conf").write_text("Debian's\n")
    run(config_tree, **arguments)
    assert (tmp_path / "main.conf.before-evenkeel").read_text() == "Debian's\n"


def test_a_private_tree_is_for_root_alone_and_shown_to_nobody(
    run: t.Any, arguments: dict[str, t.Any], tmp_path: Path
) -> None:
    run(config_tree, private=True, **arguments)
    done = run(config_tree, private=True, **with_main(arguments, "two\n"))
    assert (done["changed"], done["diff"]) == (True, [])
    tree = tmp_path / "tree"
    places = [tree, *tree.rglob("*")]
    assert {oct(path.stat().st_mode & 0o077) for path in places if path.name != "hooks"} == {"0o0"}
    assert {path.name for path in tree.iterdir()} == {"current", "applied", Path(done["tree"]).name}
