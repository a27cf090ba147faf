# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import grp
import json
import os
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _openssl
from ansible_collections.evenkeel.fleet.plugins.module_utils._certificates import bundle
from ansible_collections.evenkeel.fleet.plugins.modules import certificates

GROUP = grp.getgrgid(os.getgid()).gr_name

RENEWAL = "[renewalparams]\naccount = 1\nserver = {server}\nkey_type = ecdsa\n"


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may give files away."""
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)


@pytest.fixture(autouse=True)
def renewals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where certbot keeps how it renews."""
    (path := tmp_path / "renewal").mkdir()
    monkeypatch.setattr(certificates, "RENEWALS", str(path))
    return path


def arguments(tmp_path: Path, source: str, *server_names: str, **files: str) -> dict[str, t.Any]:
    site = {"name": "notes", "server_names": list(server_names or ["notes.test"]), "tls": source}
    return {
        "path": f"{tmp_path}/tls",
        "sites": [site],
        "files": {"notes": files} if files else {},
        "group": GROUP,
    }


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    """A certificate for notes.test by an authority of somebody else, and its key."""
    made = _openssl.make_authority("somebody else")
    for name, text in zip(("ca.pem", "ca.key"), made, strict=True):
        (tmp_path / name).write_text(text)
    certificate, key = _openssl.make_certificate("notes", ["notes.test"], str(tmp_path))
    return {"certificate": certificate, "key": key}


def test_a_certificate_of_our_own(run: t.Any, tmp_path: Path) -> None:
    wanted = arguments(tmp_path, "self_signed")
    assert run(certificates, check=True, **wanted)["changed"]
    assert not (tmp_path / "tls").exists()
    first, second = run(certificates, **wanted), run(certificates, **wanted)
    assert (first["changed"], second["changed"]) == (True, False)
    pem = (tmp_path / "tls/notes.pem").read_text()
    assert _openssl.fits(pem)
    assert _openssl.certificate(pem).names == {"notes.test"}
    (tmp_path / "leaf.pem").write_text(pem)
    _openssl.openssl("verify", "-x509_strict", "-CAfile", f"{tmp_path}/tls/ca/ca.pem", f"{tmp_path}/leaf.pem")
    assert stat.S_IMODE((tmp_path / "tls/notes.pem").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "tls/ca/ca.key").stat().st_mode) == 0o600


def test_other_names_are_another_certificate_by_the_same_authority(run: t.Any, tmp_path: Path) -> None:
    run(certificates, **arguments(tmp_path, "self_signed"))
    authority = (tmp_path / "tls/ca/ca.pem").read_text()
    changed = run(certificates, **arguments(tmp_path, "self_signed", "notes.test", "other.test"))
    assert changed["diff"]["before"]["notes"].startswith("notes.test until ")
    assert changed["diff"]["after"]["notes"].startswith("notes.test, other.test until ")
    assert (tmp_path / "tls/ca/ca.pem").read_text() == authority


def test_a_site_that_waits_for_an_issuer_is_served_meanwhile(
    run: t.Any, tmp_path: Path, pair: dict[str, str], renewals: Path
) -> None:
    wanted = arguments(tmp_path, "acme")
    first, second = run(certificates, **wanted), run(certificates, **wanted)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["waiting"] == second["waiting"] == ["notes"]
    # The issuer delivers.
    pem = bundle(pair["certificate"], pair["key"], "notes")
    (tmp_path / "tls/notes.pem").write_text(pem)
    (renewals / "notes.conf").write_text(RENEWAL.format(server="https://issuer.test/directory"))
    third = run(certificates, **wanted)
    assert (third["changed"], third["waiting"]) == (False, [])
    # A new name is the issuer's business, and what there is serves on.
    fourth = run(certificates, **arguments(tmp_path, "acme", "notes.test", "new.test"))
    assert (fourth["changed"], fourth["waiting"]) == (False, ["notes"])
    assert (tmp_path / "tls/notes.pem").read_text() == pem


def test_a_certificate_by_another_issuer_waits_for_the_one_that_is_wanted(
    run: t.Any, tmp_path: Path, pair: dict[str, str], renewals: Path
) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/notes.pem").write_text(pem := bundle(pair["certificate"], pair["key"], "notes"))
    wanted = arguments(tmp_path, "acme") | {"acme_directory": "https://issuer.test/directory"}
    # One that was bought, with the same names: nobody would renew it.
    seen = run(certificates, **wanted)
    assert (seen["changed"], seen["waiting"]) == (False, ["notes"])
    for server, waiting in (("https://trials.test/directory", ["notes"]), ("https://issuer.test/directory", [])):
        (renewals / "notes.conf").write_text(RENEWAL.format(server=server))
        seen = run(certificates, **wanted)
        assert (seen["changed"], seen["waiting"]) == (False, waiting)
    assert (tmp_path / "tls/notes.pem").read_text() == pem


def test_a_given_certificate(run: t.Any, tmp_path: Path, pair: dict[str, str]) -> None:
    wanted = arguments(tmp_path, "files", **pair)
    first, second = run(certificates, **wanted), run(certificates, **wanted)
    assert (first["changed"], second["changed"]) == (True, False)
    assert (tmp_path / "tls/notes.pem").read_text() == bundle(pair["certificate"], pair["key"], "notes")
    secret = pair["key"].splitlines()[1]
    assert secret not in json.dumps([first["diff"], second["diff"]])


def test_a_given_certificate_for_other_names(run: t.Any, tmp_path: Path, pair: dict[str, str]) -> None:
    failed = run(certificates, **arguments(tmp_path, "files", "other.test", **pair))
    assert failed["msg"] == "the certificate of site notes is for ['notes.test']; wanted ['other.test']"
    assert not (tmp_path / "tls").exists()


def test_a_key_of_another_certificate(run: t.Any, tmp_path: Path, pair: dict[str, str]) -> None:
    _certificate, key = _openssl.make_authority("another")
    failed = run(certificates, **arguments(tmp_path, "files", certificate=pair["certificate"], key=key))
    assert failed["msg"] == "the key of site notes is not the one of its certificate"


def test_sites_that_are_gone(run: t.Any, tmp_path: Path) -> None:
    run(certificates, **arguments(tmp_path, "self_signed"))
    (tmp_path / "tls/gone.pem").write_text("x")
    assert run(certificates, check=True, **arguments(tmp_path, "self_signed"))["changed"]
    assert run(certificates, **arguments(tmp_path, "self_signed"))["changed"]
    assert sorted(os.listdir(tmp_path / "tls")) == ["ca", "notes.pem"]


def test_what_certbot_need_not_renew_any_more(run: t.Any, tmp_path: Path, renewals: Path) -> None:
    hook = "/etc/nginx/evenkeel/current/renewed"
    hooks = {"notes": hook, "gone": hook, "somebodys": "/usr/local/bin/mine", "others": None}
    for name, own in hooks.items():
        line = f"renew_hook = {own}\n" if own else ""
        (renewals / f"{name}.conf").write_text(RENEWAL.format(server="https://issuer.test/directory") + line)
    (renewals / "README").write_text("")
    for source, abandoned in (("acme", ["gone"]), ("self_signed", ["gone", "notes"])):
        wanted = arguments(tmp_path, source) | {"acme_hook": hook}
        assert run(certificates, check=True, **wanted)["abandoned"] == abandoned
        assert run(certificates, **wanted)["abandoned"] == abandoned
    # Whose they are, nobody has said.
    assert run(certificates, **arguments(tmp_path, "self_signed"))["abandoned"] == []


def test_sites_that_are_gone_stay_until_nobody_reads_them(run: t.Any, tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/gone.pem").write_text("x")
    wanted = arguments(tmp_path, "self_signed")
    # Removing makes nothing, so a prediction of both tells of each change once.
    for step, there, gone in (("keep", ["ca", "gone.pem", "notes.pem"], []), ("remove", ["ca", "notes.pem"], ["gone"])):
        predicted = run(certificates, check=True, steps=[step], **wanted)
        first, second = (run(certificates, steps=[step], **wanted) for _time in range(2))
        assert (predicted["changed"], first["changed"], second["changed"]) == (True, True, False)
        assert [name for name, seen in predicted["diff"]["after"].items() if seen == "gone"] == gone
        assert sorted(os.listdir(tmp_path / "tls")) == there
    assert (second["waiting"], second["expires"]) == ([], {})
