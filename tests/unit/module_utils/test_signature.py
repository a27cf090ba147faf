# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures were signed once with minisign and gpg; here the real programs look at them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._signature import verify

SIGNED = Path(__file__).parent / "fixtures/signed"
OURS = "RWQ497J6BbSsG0mR9sGi7Oy7UYzUe/MbC7bk0LZLU+ncOHMMxlaMiOGK"
THEIRS = "RWQ8hksDxa1La4EgqEyieWbkv3PpgPsmCj2yYwOpq7k2MV8V4E9ea3rK"


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SIGNED, tmp_path / "signed"))


def minisign(signed: Path, key: str) -> None:
    verify(str(signed / "SHA256SUMS"), str(signed / "SHA256SUMS.minisig"), minisign_key=key)


def gpg(signed: Path, keyring: str) -> None:
    verify(str(signed / "SHA256SUMS"), str(signed / "SHA256SUMS.sig"), gpg_keyring=str(signed / keyring))


def test_good_signatures(signed: Path) -> None:
    minisign(signed, OURS)
    gpg(signed, "a.gpg")


def test_a_changed_file_is_refused(signed: Path) -> None:
    (signed / "SHA256SUMS").write_text((signed / "SHA256SUMS").read_text().replace("0", "1", 1))
    with pytest.raises(ValueError, match=f"wanted a signature by the minisign key {OURS[:8]}.* says: .*failed"):
        minisign(signed, OURS)
    with pytest.raises(ValueError, match=r"wanted a signature by a key in .*a\.gpg; gpgv says: .*BAD signature"):
        gpg(signed, "a.gpg")


def test_the_signature_of_somebody_else_is_refused(signed: Path) -> None:
    with pytest.raises(ValueError, match=r"minisign says: .* 1BACB4057AB2F738; but the key id .* 6B4BADC5034B863C"):
        minisign(signed, THEIRS)
    with pytest.raises(ValueError, match=r"gpgv says: .*No public key"):
        gpg(signed, "b.gpg")


@pytest.mark.parametrize("text", ["", "nothing\nof\nthe\nkind\n"])
def test_what_is_no_signature_is_refused(signed: Path, text: str) -> None:
    for name in ("SHA256SUMS.minisig", "SHA256SUMS.sig"):
        (signed / name).write_text(text)
    with pytest.raises(ValueError, match="wanted a signature by the minisign key"):
        minisign(signed, OURS)
    with pytest.raises(ValueError, match="wanted a signature by a key in"):
        gpg(signed, "a.gpg")


def test_a_program_that_is_missing_is_named(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(signed))
    with pytest.raises(ValueError, match="minisign is not on the controller; install it"):
        minisign(signed, OURS)
    with pytest.raises(ValueError, match="gpgv is not on the controller; install it"):
        gpg(signed, "a.gpg")
