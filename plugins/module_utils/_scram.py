# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. SCRAM verifiers of passwords (RFC 5803), as Postgres keeps them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import stringprep
import unicodedata

ITERATIONS = 4096
VERIFIER = re.compile(r"SCRAM-SHA-256\$([1-9]\d*):([A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")

# What SASLprep (RFC 4013) lets into no password.
PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """What a server keeps of a password: enough to recognise it, too little to log in with."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_base64(salt)}${_base64(stored)}:{_base64(server)}"


def matches(password: str, kept: str | None) -> bool:
    """Whether a verifier is the one of this password. What is no verifier, such as an md5 hash, is not."""
    found = VERIFIER.fullmatch(kept or "")
    if not found:
        return False
    again = verifier(password, base64.b64decode(found[2]), int(found[1]))
    return hmac.compare_digest(again, found[0])


def prepared(password: str) -> str:
    """The password as clients send it: by SASLprep, or unchanged where that has no answer, as Postgres does it."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not normal or any(prohibited(char) for char in normal for prohibited in PROHIBITED):
        return password
    # Text that runs from right to left does so from its first to its last character.
    leftward = [stringprep.in_table_d1(char) for char in normal]
    if any(leftward) and not (leftward[0] and leftward[-1] and not any(map(stringprep.in_table_d2, normal))):
        return password
    return normal


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
