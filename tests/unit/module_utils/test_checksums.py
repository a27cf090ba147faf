# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._checksums import checksum_of

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"{B}  other\n{A}  notes.tar.gz\n",
        f"{B} *other\r\n{A} *notes.tar.gz\r\n",
        f"{A}  ./dist/notes.tar.gz",
        f"{A.upper()}  notes.tar.gz",
        f"SHA256 (notes.tar.gz) = {A}\nSHA512 (notes.tar.gz) = {B}{B}\n",
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{A}  notes.tar.gz\n{A}  notes.tar.gz\n",
        f"{A}\n",
    ],
)
@pytest.mark.parametrize("artifact", ["dist/notes.tar.gz", "https://example.org/v1/notes.tar.gz?token=x#y"])
def test_the_sum_is_found(text: str, artifact: str) -> None:
    assert checksum_of(artifact, text) == A


def test_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "notes 1.0.tar.gz").write_text("x")
    (tmp_path / "other").write_text("y")
    for options in ([], ["--tag"], ["--binary"]):
        command = ["sha256sum", *options, "notes 1.0.tar.gz", "other"]
        printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert checksum_of("notes 1.0.tar.gz", printed).startswith("2d711642b726b044")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no SHA-256 sum for notes.tar.gz; it has one for: no file at all"),
        ("<html>not found</html>", "it has one for: no file at all"),
        (f"{A}  notes-1.0.tar.gz\n{B}  b\n", "no SHA-256 sum for notes.tar.gz; it has one for: b, notes-1.0.tar.gz"),
        (f"{A}  xnotes.tar.gz\n", "it has one for: xnotes.tar.gz"),
        (f"{A[:-1]}  notes.tar.gz\n", "it has one for: no file at all"),
        (f"{A}\n{B}\n", "it has one for: no file at all"),
        (f"{A}  notes.tar.gz\n{B}  old/notes.tar.gz\n", "2 different sums for notes.tar.gz"),
    ],
)
def test_no_sum_or_two_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checksum_of("notes.tar.gz", text)
