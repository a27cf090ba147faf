# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import base64

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._scram import matches, prepared, verifier

# The example of RFC 7677.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PENCIL = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_the_verifier_is_that_of_the_rfc() -> None:
    assert verifier("pencil", SALT) == PENCIL


def test_only_the_right_password_matches() -> None:
    assert matches("pencil", PENCIL)
    assert not matches("pencils", PENCIL)
    assert matches("pencil", verifier("pencil", b"another salt", 500))


@pytest.mark.parametrize("kept", [None, "", "md5c4ca4238a0b923820dcc509a6f75849b", "pencil", f"{PENCIL}x"])
def test_what_is_no_verifier_matches_nothing(kept: str | None) -> None:
    assert not matches("pencil", kept)


@pytest.mark.parametrize(
    ("password", "sent"),
    [
        ("it's \\ $x", "it's \\ $x"),
        ("a\u00a0b", "a b"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\u2168", "IX"),
        # No answer: the password goes as it is.
        ("\u00ad", "\u00ad"),
        ("a\tb", "a\tb"),
        ("\u2168\u0007", "\u2168\u0007"),
        ("\u06271\u2168", "\u06271\u2168"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_passwords_are_prepared_as_clients_do(password: str, sent: str) -> None:
    assert prepared(password) == sent
