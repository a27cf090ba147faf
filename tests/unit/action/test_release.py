# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller finds out about an artifact before any host hears of it."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.action import release
from ansible_collections.evenkeel.fleet.plugins.action.release import Artifact

SIGNED = Path(__file__).parents[1] / "module_utils/fixtures/signed"
KEY = "RWQ497J6BbSsG0mR9sGi7Oy7UYzUe/MbC7bk0LZLU+ncOHMMxlaMiOGK"
OTHER_KEY = "RWQ8hksDxa1La4EgqEyieWbkv3PpgPsmCj2yYwOpq7k2MV8V4E9ea3rK"
URL = "https://example.org/notes-1.0.0.tar.gz"
SIGNED_SUMS = {"artifact_checksums": "SHA256SUMS", "artifact_signature": "SHA256SUMS.minisig"}


def artifact(artifact: str = URL, **arguments: t.Any) -> Artifact:
    return Artifact({"artifact": artifact, **arguments}, lambda path: str(SIGNED / path))


def test_a_published_sum_whose_signature_is_good() -> None:
    assert artifact(artifact_checksums="SHA256SUMS").published_checksum() == "0" * 64
    assert artifact(**SIGNED_SUMS, artifact_minisign_key=KEY).published_checksum() == "0" * 64
    gpg = {**SIGNED_SUMS, "artifact_signature": "SHA256SUMS.sig", "artifact_gpg_keyring": "a.gpg"}
    assert artifact(**gpg).published_checksum() == "0" * 64


def test_a_published_sum_whose_signature_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^artifact_checksums SHA256SUMS with the signature .*; nothing was touched$"):
        artifact(**SIGNED_SUMS, artifact_minisign_key=OTHER_KEY).published_checksum()


def test_a_sum_that_is_not_published_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^artifact_checksums SHA256SUMS: it has no SHA-256 sum for other.tar.gz"):
        artifact("other.tar.gz", artifact_checksums="SHA256SUMS").published_checksum()


@pytest.mark.parametrize(
    "arguments",
    [
        {"artifact_sha256": "0" * 64, "artifact_checksums": "SHA256SUMS"},
        {"artifact_signature": "SHA256SUMS.sig"},
        {"artifact_minisign_key": KEY},
        {"artifact_signature": "x", "artifact_minisign_key": KEY, "artifact_gpg_keyring": "a.gpg"},
    ],
)
def test_what_does_not_go_together_is_refused(arguments: dict[str, t.Any]) -> None:
    with pytest.raises(ValueError, match="given; "):
        artifact(**arguments)


def test_the_artifact_itself_is_checked() -> None:
    signed = {"artifact_signature": "SHA256SUMS.minisig", "artifact_minisign_key": KEY}
    digest = hashlib.sha256((SIGNED / "SHA256SUMS").read_bytes()).hexdigest()
    artifact("SHA256SUMS", **signed).check(digest)
    with pytest.raises(ValueError, match=f"its sha256 is {digest}, wanted 000"):
        artifact("SHA256SUMS", **signed).check("0" * 64)
    with pytest.raises(ValueError, match=r"^artifact SHA256SUMS with the signature SHA256SUMS.minisig: wanted a sig"):
        artifact("SHA256SUMS", **{**signed, "artifact_minisign_key": OTHER_KEY}).check(digest)
    with pytest.raises(ValueError, match="on the host cannot be verified on the controller"):
        artifact("SHA256SUMS", **signed, remote_src=True).check(digest)


def test_messages_leave_out_a_query_which_may_hold_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    query = "?token=hunter2"
    signed = {"artifact_signature": f"https://example.org/SHA256SUMS.sig{query}", "artifact_minisign_key": KEY}
    monkeypatch.setattr(Artifact, "_local", lambda _self, _name: str(SIGNED / "SHA256SUMS"))
    with pytest.raises(ValueError, match="its sha256 is") as wrong_sum:
        artifact(URL + query, **signed).check("0" * 64)
    with pytest.raises(ValueError, match="with the signature") as wrong_signature:
        artifact(URL + query, **signed).check(hashlib.sha256((SIGNED / "SHA256SUMS").read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="it has no SHA-256 sum") as no_sum:
        artifact(f"https://x/other{query}", artifact_checksums=URL + query).published_checksum()
    assert "hunter2" not in f"{wrong_sum.value} {wrong_signature.value} {no_sum.value}"


def test_what_is_behind_a_url_is_fetched_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fetched = []

    def download(url: str, to: str, headers: dict[str, str], proxy: str) -> None:
        fetched.append((url, headers, proxy))
        Path(to).write_bytes((SIGNED / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(release, "download", download)
    monkeypatch.setattr(release.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    remote = {name: f"https://example.org/{path}" for name, path in SIGNED_SUMS.items()}
    more = {"artifact_minisign_key": KEY, "artifact_headers": {"A": "b"}, "artifact_proxy": "http://proxy"}
    for _host in range(3):
        assert artifact(**remote, **more).published_checksum() == "0" * 64
    assert fetched == [(url, {"A": "b"}, "http://proxy") for url in remote.values()]
