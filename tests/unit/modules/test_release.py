# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import grp
import hashlib
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.modules import release

PROGRAM = b"#!/bin/sh\necho hello\n"
GROUP = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may give files away."""
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    monkeypatch.setattr(_systemd, "unit_complaints", lambda _path: [])
    monkeypatch.setattr(_systemd, "unit_exposure", lambda _path: 1.1)


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, t.Any]:
    (tmp_path / "artifact").write_bytes(PROGRAM)
    return {
        "service": "notes",
        "root": f"{tmp_path}/notes",
        "version": "1.0.0",
        "artifact": f"{tmp_path}/artifact",
        "artifact_sha256": hashlib.sha256(PROGRAM).hexdigest(),
        "remote_src": True,
        "unit": "[Service]\nExecStart=/opt/notes/slots/%i/artifact/notes\n",
        "environment": {"A": "1"},
        "secrets": {"TOKEN": "hunter2"},
        "credentials": {"key": "tr0ub4dor"},
        "files": {"app.yml": "password: correct-horse"},
        "group": GROUP,
    }


def predictable(result: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: result[name] for name in ("changed", "id", "path", "diff")}


def everything_below(path: Path) -> list[str]:
    return sorted(found.relative_to(path).as_posix() for found in path.rglob("*"))


def test_check_mode_predicts_and_touches_nothing(run: t.Any, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    before = everything_below(tmp_path)
    predicted = run(release, check=True, **arguments)
    assert predicted["changed"]
    assert everything_below(tmp_path) == before
    done = run(release, **arguments)
    assert predictable(predicted) == predictable(done)
    assert os.path.isdir(done["path"])


def test_a_second_run_changes_nothing(run: t.Any, arguments: dict[str, t.Any]) -> None:
    first, second = run(release, **arguments), run(release, **arguments)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["id"] == second["id"]
    assert not run(release, check=True, **arguments)["changed"]


def test_secrets_and_files_are_in_no_output(run: t.Any, arguments: dict[str, t.Any]) -> None:
    for check in (True, False):
        said = json.dumps(run(release, check=check, **arguments))
        assert "hunter2" not in said
        assert "tr0ub4dor" not in said
        assert "correct-horse" not in said


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"version": None}, "state is staged but all of the following are missing: version"),
        ({"state": "current"}, "state is current but all of the following are missing: id"),
        ({"state": "latest"}, "value of state must be one of: staged, current, absent"),
        ({"service": "Notes"}, "service is 'Notes'; it wants a lower-case name"),
        ({"version": "../../x"}, "it wants <version>-<12 hexadecimal digits>"),
        ({"environment": {"TOKEN": "x"}}, "TOKEN: given as environment and as secret; give it once"),
        ({"environment": {"A-B": "x"}}, "environment variable 'A-B': a name wants letters, digits and _"),
        ({"secrets": {"TOKEN": "hunter2\x00"}}, "environment variable TOKEN: its value holds a control character"),
        ({"credentials": {"TOKEN": "x"}}, "TOKEN: given as secret and as credential; give it once"),
        ({"files": {"app.yml": "port: @@PORT@@"}}, "file 'app.yml': @@PORT@@ stands for nothing"),
        ({"files": {"../evil": "x"}}, "'../evil' leads out of its directory"),
        ({"files": {"app.json": {"a": "hunter2"}}}, "file 'app.json': its content is a dict; it wants text"),
        ({"group": "nobody-knows"}, "group nobody-knows does not exist on this host"),
        ({"artifact_sha256": "0" * 64}, "its sha256 is"),
        ({"remote_src": False}, "is not on this host"),
    ],
)
def test_what_is_wrong_is_refused(
    run: t.Any, arguments: dict[str, t.Any], changes: dict[str, t.Any], complaint: str
) -> None:
    wanted = {name: value for name, value in {**arguments, **changes}.items() if value is not None}
    result = run(release, **wanted)
    assert result["failed"]
    assert complaint in result["msg"]
    assert "hunter2" not in json.dumps(result)
    assert not os.path.exists(f"{arguments['root']}/releases") or os.listdir(f"{arguments['root']}/releases") == []


def test_the_action_plugin_is_told_what_is_lacking(run: t.Any, arguments: dict[str, t.Any]) -> None:
    assert run(release, **{**arguments, "remote_src": False})["artifact_wanted"] is True


def stage(run: t.Any, arguments: dict[str, t.Any], version: str, age: int) -> str:
    result = run(release, **{**arguments, "version": version})
    os.utime(result["path"], (age, age))
    return str(result["id"])


def current(run: t.Any, arguments: dict[str, t.Any], release_id: str, **more: t.Any) -> dict[str, t.Any]:
    where = {name: arguments[name] for name in ("service", "root")}
    return t.cast("dict[str, t.Any]", run(release, state="current", id=release_id, **where, **more))


def test_current_and_previous(run: t.Any, arguments: dict[str, t.Any]) -> None:
    root = arguments["root"]
    one, two = stage(run, arguments, "1", 1), stage(run, arguments, "2", 2)
    assert current(run, arguments, one)["changed"]
    assert not os.path.lexists(f"{root}/previous")
    predicted = current(run, arguments, two, check=True)
    assert os.readlink(f"{root}/current") == f"releases/{one}"
    done = current(run, arguments, two)
    assert predictable(predicted) == predictable(done)
    assert os.readlink(f"{root}/current") == f"releases/{two}"
    assert os.readlink(f"{root}/previous") == f"releases/{one}"
    assert not current(run, arguments, two)["changed"]


def test_old_releases_go_and_those_in_use_stay(run: t.Any, arguments: dict[str, t.Any]) -> None:
    ids = [stage(run, arguments, str(number), number) for number in range(7)]
    for number in (1, 2):
        current(run, arguments, ids[number], keep=99)
    slots = Path(arguments["root"], "slots")
    slots.mkdir()
    # An instance of what was the previous release up to now still runs.
    (slots / "blue").symlink_to(f"../releases/{ids[1]}/blue")
    done = current(run, arguments, ids[6], keep=1)
    assert done["removed"] == [ids[0], ids[3], ids[4]]
    assert sorted(os.listdir(f"{arguments['root']}/releases")) == sorted([ids[1], ids[2], ids[5], ids[6]])


def test_a_release_that_is_not_staged_does_not_become_current(run: t.Any, arguments: dict[str, t.Any]) -> None:
    result = current(run, arguments, "1.0.0-0123456789ab")
    assert result["failed"]
    assert "release 1.0.0-0123456789ab is not staged" in result["msg"]


def test_absent(run: t.Any, arguments: dict[str, t.Any]) -> None:
    one, two = stage(run, arguments, "1", 1), stage(run, arguments, "2", 2)
    current(run, arguments, one)
    where = {name: arguments[name] for name in ("service", "root")}
    refused = run(release, state="absent", id=one, **where)
    assert "is in use" in refused["msg"]
    assert run(release, check=True, state="absent", id=two, **where)["changed"]
    assert os.path.isdir(f"{arguments['root']}/releases/{two}")
    assert run(release, state="absent", id=two, **where)["changed"]
    assert os.listdir(f"{arguments['root']}/releases") == [one]
    assert not run(release, state="absent", id=two, **where)["changed"]
