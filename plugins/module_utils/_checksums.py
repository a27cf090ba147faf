# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a published file of SHA-256 sums says of one artifact."""

from __future__ import annotations

import posixpath
import re

GNU = re.compile(r"([0-9a-fA-F]{64})(?: [ *]|\t+| )(.+)")
BSD = re.compile(r"SHA256 ?\((.+)\) = ([0-9a-fA-F]{64})")
ALONE = re.compile(r"[0-9a-fA-F]{64}")


def checksum_of(artifact: str, text: str) -> str:
    """The sum of the file that the artifact's URL or path ends in.

    The text is what sha256sum prints, with or without ``--tag``, or nothing but one sum. Raises ValueError where it has
    no sum for the file, or more than one.
    """
    wanted = posixpath.basename(re.sub(r"[?#].*", "", artifact) if "://" in artifact else artifact)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and ALONE.fullmatch(lines[0]):
        return lines[0].lower()
    found = [entry for entry in map(_entry, lines) if entry]
    sums = {digest for name, digest in found if name == wanted}
    if len(sums) > 1:
        raise ValueError(f"it has {len(sums)} different sums for {wanted}")
    if not sums:
        names = ", ".join(sorted({name for name, _digest in found})[:10]) or "no file at all"
        raise ValueError(f"it has no SHA-256 sum for {wanted}; it has one for: {names}")
    return sums.pop()


def _entry(line: str) -> tuple[str, str] | None:
    if match := GNU.fullmatch(line):
        return posixpath.basename(match[2]), match[1].lower()
    if match := BSD.fullmatch(line):
        return posixpath.basename(match[1]), match[2].lower()
    return None
