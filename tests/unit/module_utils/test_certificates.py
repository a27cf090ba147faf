# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._certificates import (
    DAY,
    OTHER_NAMES,
    Certificate,
    alternative_names,
    bundle,
    certificate_of,
    certified_names,
    covers,
    fault,
)

SAID = """issuer=CN = evenkeel on lb1
notAfter=Jan  1 00:00:00 2027 GMT
X509v3 Subject Alternative Name: critical
    DNS:notes.test, DNS:*.Notes.test, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1
"""
NEW_YEAR = 1798761600
NAMES = frozenset({"notes.test", "*.notes.test", "192.0.2.1", "2001:db8::1"})

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----"


def test_what_openssl_says() -> None:
    assert certificate_of(SAID) == Certificate(NAMES, "CN = evenkeel on lb1", NEW_YEAR)


def test_what_openssl_does_not_say() -> None:
    with pytest.raises(ValueError, match="wanted an issuer and a date from openssl, got 'unable to load"):
        certificate_of("unable to load certificate")


def test_names_of_servers() -> None:
    assert certified_names(["Notes.Test", "notes.test.", "_"]) == {"notes.test", "localhost"}
    assert alternative_names(["b.test", "*.a.test", "192.0.2.1", "2001:db8::1"]) == (
        "DNS:*.a.test,IP:192.0.2.1,IP:2001:db8::1,DNS:b.test"
    )


@pytest.mark.parametrize("name", ["a,DNS:b", "a\nb", "", "a b", "*", "a/CN=b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="is no host name or address"):
        alternative_names([name])


@pytest.mark.parametrize(
    ("names", "covered"),
    [
        (["notes.test"], True),
        (["www.notes.test", "notes.test"], True),
        (["*.notes.test"], True),
        (["192.0.2.1"], True),
        (["a.b.notes.test"], False),
        (["other.test"], False),
        (["notes.test", "other.test"], False),
    ],
)
def test_covered_names(names: list[str], covered: bool) -> None:
    assert covers(certificate_of(SAID), names) is covered


def test_faults() -> None:
    seen = certificate_of(SAID)
    assert fault(seen, NAMES, NEW_YEAR - 31 * DAY) == ""
    assert fault(seen, NAMES, NEW_YEAR - 29 * DAY) == "it expires soon"
    assert fault(seen, NAMES | {"new.test"}, 0) == OTHER_NAMES
    assert fault(None, NAMES, 0) == "there is none"


def test_a_bundle_begins_with_the_key_and_keeps_the_order() -> None:
    second = CERTIFICATE.replace("AAAA", "CCCC")
    chain = f"subject=/CN=x\r\n{CERTIFICATE}\r\n{second}\r\n".replace("\n", "\r\n").replace("\r\r", "\r")
    assert bundle(chain, f"text\n{KEY}\n", "notes") == f"{KEY}\n{CERTIFICATE}\n{second}\n"


@pytest.mark.parametrize(
    ("certificate", "key", "complaint"),
    [
        ("", KEY, "certificate of site notes wants PEM"),
        (KEY, KEY, "certificate of site notes wants PEM"),
        (CERTIFICATE, "", "key of site notes wants PEM"),
        (CERTIFICATE, KEY + "\n" + KEY.replace("PRIVATE", "EC PRIVATE"), "one private key"),
        (CERTIFICATE, KEY.replace("BBBB", "Proc-Type: 4,ENCRYPTED"), "no passphrase protects"),
    ],
)
def test_what_is_no_pair(certificate: str, key: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        bundle(certificate, key, "notes")
    assert "BBBB" not in str(caught.value)
