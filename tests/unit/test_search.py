# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What looks for secrets in tests finds those that are there."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import typing as t
from pathlib import Path

import pytest
import search

SECRET = b"before canary-secret after"


def tar(data: bytes, folder: Path) -> bytes:
    (folder / "plain").write_bytes(data)
    with tarfile.open(folder / "packed", "w:gz") as packed:
        packed.add(folder / "plain", "plain")
    return (folder / "packed").read_bytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress, "tar"])
@pytest.mark.parametrize("data", [SECRET, b"nothing"])
def test_a_secret_is_found_in_packed_files_too(
    pack: t.Any, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "file").write_bytes(tar(data, tmp_path) if pack == "tar" else pack(data))
    (place / "file").chmod(0o640)
    monkeypatch.setattr(search, "PLACES", [str(place)])
    found = [where for where, seen in search.files() if b"canary-secret" in seen]
    assert found == ([f"0640 {place}/file"] if data == SECRET else [])


def test_what_only_begins_like_a_packed_file_is_no_trouble() -> None:
    assert search.unpacked(b"\x1f\x8bnot really") == b""
