# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Asks minisign or gpgv whether a detached signature is good."""

from __future__ import annotations

import os
import subprocess


def verify(file: str, signature: str, minisign_key: str = "", gpg_keyring: str = "") -> None:
    """Raises ValueError unless the key, or one in the keyring, has signed the file. All but the key are paths."""
    if minisign_key:
        command = ["minisign", "-V", "-P", minisign_key, "-x", signature, "-m", file]
        wanted = f"the minisign key {minisign_key}"
    else:
        command = ["gpgv", "--keyring", gpg_keyring, signature, file]
        wanted = f"a key in {gpg_keyring}"
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"}, check=False
        )
    except FileNotFoundError:
        raise ValueError(
            f"{command[0]} is not on the controller; install it there, in Debian by the package of that name"
        ) from None
    if answer.returncode != 0:
        said = "; ".join(line.strip() for line in (answer.stderr + answer.stdout).splitlines() if line.strip())
        raise ValueError(f"wanted a signature by {wanted}; {command[0]} says: {said or answer.returncode}")
