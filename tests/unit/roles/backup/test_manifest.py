# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What backups say of themselves, and which one is meant."""

from __future__ import annotations

import json

import pytest
from evenkeel_backup import manifest
from evenkeel_backup.manifest import Artifact, Manifest, Marks, Sum
from hypothesis import given
from hypothesis import strategies as st

IDS = dict.fromkeys(["20260301T020000Z", "20260302T020000Z", "20260303T020000Z"], False)
SUM = Sum(3, "ab", "cd")


def example(name: str = "notes.dump") -> Manifest:
    artifacts = (Artifact(name, SUM), Artifact("globals.sql", SUM, SUM))
    return Manifest("database/notes", "20260301T020000Z", "db1", 1.5, 2.0, artifacts, {"rows": {"a": 1}})


def test_it_reads_what_it_writes() -> None:
    assert manifest.load(manifest.dump(example()), example().id) == example()
    marks = Marks({"read": 1.0}, 2.0, "no")
    assert manifest.load_marks(manifest.dump(marks)) == marks


def test_an_encrypted_file_is_stored_under_another_name() -> None:
    assert [artifact.stored()[0] for artifact in example().artifacts] == ["notes.dump", "globals.sql.age"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", ""])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="files elsewhere"):
        manifest.load(manifest.dump(example(name)), example().id)


@given(st.text() | st.dictionaries(st.text(), st.integers()).map(json.dumps))
def test_anything_else_is_refused_and_never_more_than_that(text: str) -> None:
    with pytest.raises(ValueError, match="not what this program writes"):
        manifest.load(text, example().id)
    assert manifest.load_marks(text) == Marks() or manifest.load_marks(text).damaged


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("latest", "20260303T020000Z"),
        ("20260302T020000Z", "20260302T020000Z"),
        ("2026-03-02T12:00:00", "20260302T020000Z"),
        ("2026-03-02T02:00:00Z", "20260302T020000Z"),
        ("2026-03-02T02:30:00+01:00", "20260301T020000Z"),
        ("2026-03-03", "20260302T020000Z"),
    ],
)
def test_which_backup_is_meant(wanted: str, chosen: str) -> None:
    assert manifest.choose(IDS, wanted) == chosen


@pytest.mark.parametrize("wanted", ["yesterday", "20260304T020000Z.part", "2026-02-01", "20250101T000000Z"])
def test_what_means_no_backup_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match=r"neither latest|no backup is as old"):
        manifest.choose(IDS, wanted)


def test_a_safety_copy_is_meant_by_its_name_alone() -> None:
    """A restore that was killed after it saved what is live, and is begun again, must not restore that."""
    ids = {**IDS, "20260304T020000Z": True}
    assert manifest.choose(ids, "latest") == "20260303T020000Z"
    assert manifest.choose(ids, "20260304T020000Z") == "20260304T020000Z"
    with pytest.raises(ValueError, match="no good backup"):
        manifest.choose({"20260304T020000Z": True}, "latest")


@pytest.mark.parametrize("name", ["20260301T020000Z.part", "2026031T020000Z", "20260399T020000Z", "notes", ".lock"])
def test_foreign_names_are_no_backups(name: str) -> None:
    assert manifest.taken_at(name) is None


@given(st.floats(0, 4e9))
def test_a_name_tells_its_time(when: float) -> None:
    taken = manifest.taken_at(manifest.stamp(when))
    assert taken is not None
    assert taken.timestamp() == int(when)


def test_every_other_count_is_told() -> None:
    assert manifest.differences({"a": 1, "b": 2}, {"a": 1, "b": 2}) == []
    assert manifest.differences({"a": 1, "b": 2}, {"a": 2, "c": 0}) == [
        "a: 2 instead of 1",
        "b: missing instead of 2",
        "c: 0 instead of none",
    ]
