# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Has openssl read and make certificates. Keys travel by files of a private directory."""

from __future__ import annotations

import subprocess
import tempfile
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._certificates import (
    Certificate,
    alternative_names,
    certificate_of,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._files import read_text

DAYS = 825
AUTHORITY_DAYS = 3650

REQUEST = """\
[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
string_mask = utf8only

[subject]
CN = {name}

[extensions]
subjectKeyIdentifier = hash
{extensions}
"""
AUTHORITY = "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign"
SITE = """\
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = {names}"""


def openssl(*arguments: str, stdin: str = "") -> str:
    try:
        done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise OSError("wanted the program openssl on the host; install Debian's package openssl") from None
    if done.returncode != 0:
        # The reason is in the first line; what follows are openssl's own source lines.
        raise ValueError(f"openssl {arguments[0]}: {(done.stderr.strip().splitlines() or ['it failed'])[0]}")
    return done.stdout


def certificate(pem: str) -> Certificate:
    """What the first certificate in the text says."""
    return certificate_of(openssl("x509", "-noout", "-issuer", "-enddate", "-ext", "subjectAltName", stdin=pem))


def fits(pem: str) -> bool:
    """Whether the key in the text is the one that the first certificate in it speaks of."""
    return openssl("x509", "-noout", "-pubkey", stdin=pem) == openssl("pkey", "-pubout", stdin=pem)


def make_authority(name: str) -> tuple[str, str]:
    """The certificate and the key of a new certificate authority."""
    return _make(name, AUTHORITY, AUTHORITY_DAYS)


def make_certificate(name: str, names: t.Iterable[str], authority: str) -> tuple[str, str]:
    """The certificate and the key of a site, signed by the authority whose C(ca.pem) and C(ca.key) lie there."""
    extensions = SITE.format(names=alternative_names(names))
    return _make(name, extensions, DAYS, "-CA", f"{authority}/ca.pem", "-CAkey", f"{authority}/ca.key")


def _make(name: str, extensions: str, days: int, *signed_by: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/config", "x", encoding="utf-8") as file:
            file.write(REQUEST.format(name=name, extensions=extensions))
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days)),
            *("-config", f"{scratch}/config", "-keyout", f"{scratch}/key", "-out", f"{scratch}/pem", *signed_by),
        )
        return read_text(f"{scratch}/pem") or "", read_text(f"{scratch}/key") or ""
