# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a certificate says, and whether it will do."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

DAY = 86400
RENEW_BEFORE = 30 * DAY
OTHER_NAMES = "its names are others"

PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n[A-Za-z0-9+/=\n]+-----END \1-----")


@dataclass(frozen=True)
class Certificate:
    names: frozenset[str]
    issuer: str
    expires: int


def certificate_of(text: str) -> Certificate:
    """What C(openssl x509 -noout -issuer -enddate -ext subjectAltName) says."""
    issuer = re.search(r"^issuer=(.*)$", text, re.MULTILINE)
    end = re.search(r"^notAfter=(.*) GMT$", text, re.MULTILINE)
    if not issuer or not end:
        raise ValueError(f"wanted an issuer and a date from openssl, got {text[:200]!a}")
    names = re.findall(r"(?:DNS|IP Address):([^,\s]+)", text)
    expires = datetime.strptime(end[1], "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    return Certificate(frozenset(map(_plain, names)), issuer[1].strip(), int(expires.timestamp()))


def directory_of(renewal: str) -> str:
    """From which ACME directory certbot had a certificate, as its file about the renewal says; empty if it does not."""
    return _setting(renewal, "server")


def hook_of(renewal: str) -> str:
    """What certbot runs when it has renewed a certificate, as its file about the renewal says; empty if nothing."""
    return _setting(renewal, "renew_hook")


def _setting(renewal: str, name: str) -> str:
    found = re.search(rf"^{name} = (\S+)$", renewal, re.MULTILINE)
    return found[1] if found else ""


def certified_names(server_names: t.Iterable[str]) -> frozenset[str]:
    """The names that a certificate for these server names holds; nginx's C(_), which is no name, becomes localhost."""
    return frozenset("localhost" if name == "_" else _plain(name) for name in server_names)


def _plain(name: str) -> str:
    """A host name or an address in the one way of writing it that can be compared."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower().rstrip(".")


def alternative_names(names: t.Iterable[str]) -> str:
    """The extension subjectAltName. Raises ValueError for what could be taken for something else."""
    entries = []
    for name in sorted(names):
        # No issuer signs a name with "_", but hosts of an inventory have such.
        if not re.fullmatch(r"(\*\.)?[a-z0-9_.:-]+", name):
            raise ValueError(f"{name!a} is no host name or address that a certificate could be for")
        try:
            entries.append(f"IP:{ipaddress.ip_address(name)}")
        except ValueError:
            entries.append(f"DNS:{name}")
    return ",".join(entries)


def covers(certificate: Certificate, names: t.Iterable[str]) -> bool:
    """Whether browsers take the certificate for all of these names; no issuer signs one for localhost."""
    return all(
        name in certificate.names or "*." + name.partition(".")[2] in certificate.names
        for name in names
        if name != "localhost"
    )


def fault(seen: Certificate | None, names: frozenset[str], now: float) -> str:
    """Why a certificate of our own must be made anew; empty if it will do."""
    if seen is None:
        return "there is none"
    if seen.names != names:
        return OTHER_NAMES
    return "it expires soon" if seen.expires < now + RENEW_BEFORE else ""


def blocks(pem: str) -> tuple[list[str], list[str]]:
    """The certificates and the private keys in a text."""
    found = [(match[1], match[0]) for match in PEM_BLOCK.finditer(pem.replace("\r\n", "\n"))]
    certificates = [block for kind, block in found if kind == "CERTIFICATE"]
    return certificates, [block for kind, block in found if kind.endswith("PRIVATE KEY")]


def bundle(certificate: str, key: str, site: str) -> str:
    """One file with the key, the certificate and those between it and its root. Raises ValueError without quoting."""
    certificates, _none = blocks(certificate)
    _none, keys = blocks(key)
    if not certificates:
        raise ValueError(f"the certificate of site {site} wants PEM, with the site's own certificate first")
    if len(keys) != 1:
        raise ValueError(f"the key of site {site} wants PEM, with one private key that no passphrase protects")
    return "\n".join([keys[0], *certificates, ""])
