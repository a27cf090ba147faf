# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _nft

Script = t.Callable[[str], Path]


@pytest.fixture
def nft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Puts a script in the place of nft; its arguments land in a file beside it."""

    def write(body: str) -> Path:
        path = tmp_path / "nft"
        path.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/asked\n{body}\n')
        path.chmod(0o755)
        monkeypatch.setattr(_nft, "NFT", str(path))
        return tmp_path / "asked"

    return write


def test_a_table_is_read(nft: Script) -> None:
    asked = nft("""echo '{"nftables": []}'""")
    assert _nft.list_table("evenkeel_notes") == {"nftables": []}
    assert asked.read_text() == "--json list table inet evenkeel_notes\n"


def test_a_table_that_is_not_there(nft: Script) -> None:
    nft("echo 'Error: No such file or directory' >&2; exit 1")
    assert _nft.list_table("evenkeel_notes") is None


def test_a_table_as_text_holds_neither_counts_nor_names(nft: Script) -> None:
    asked = nft("echo 'table inet x { }'")
    assert _nft.list_text("x") == "table inet x { }\n"
    assert asked.read_text() == "--stateless --numeric list table inet x\n"


def test_the_text_of_a_table_that_is_not_there_is_empty(nft: Script) -> None:
    nft("echo 'Error: No such file or directory' >&2; exit 1")
    assert _nft.list_text("x") == ""


def test_whatever_else_nft_complains_of_is_no_absent_table(nft: Script) -> None:
    nft("echo 'Operation not permitted' >&2; exit 1")
    with pytest.raises(OSError, match="cannot list table inet evenkeel_notes: Operation not permitted"):
        _nft.list_table("evenkeel_notes")


def test_rules_are_loaded_from_their_file(nft: Script) -> None:
    asked = nft("exit 0")
    _nft.load("/etc/evenkeel/switch/notes.nft")
    assert asked.read_text() == "--file /etc/evenkeel/switch/notes.nft\n"


def test_rules_that_nft_refuses(nft: Script) -> None:
    nft("echo 'syntax error' >&2; exit 1")
    with pytest.raises(OSError, match=r"refuses /x\.nft: syntax error"):
        _nft.load("/x.nft")


def test_a_host_without_nft(tmp_path: Path, nft: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    nft("exit 0")
    assert _nft.is_installed()
    monkeypatch.setattr(_nft, "NFT", str(tmp_path / "nowhere"))
    assert not _nft.is_installed()
    with pytest.raises(FileNotFoundError, match="install Debian's package nftables"):
        _nft.list_table("evenkeel_notes")
