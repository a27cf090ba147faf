# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What we ask of nftables."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

NFT = "/usr/sbin/nft"


def is_installed() -> bool:
    return os.access(NFT, os.X_OK)


def list_table(table: str) -> dict[str, t.Any] | None:
    """The table as nft prints it in JSON, or None where there is no such table."""
    answer = _run("--json", "list", "table", "inet", table)
    if answer.returncode != 0:
        if "No such file or directory" in answer.stderr:
            return None
        raise OSError(f"{NFT} cannot list table inet {table}: {answer.stderr.strip()}")
    return t.cast("dict[str, t.Any]", json.loads(answer.stdout))


def list_text(table: str) -> str:
    """The table as nft prints it for people, without the counts in it; empty where there is no such table.

    Names are left out as well: what a number is called changes with the packages of the host.
    """
    answer = _run("--stateless", "--numeric", "list", "table", "inet", table)
    if answer.returncode != 0:
        if "No such file or directory" in answer.stderr:
            return ""
        raise OSError(f"{NFT} cannot list table inet {table}: {answer.stderr.strip()}")
    return answer.stdout


def check(path: str) -> None:
    """Have the kernel look at a script without doing what it says."""
    answer = _run("--check", "--file", path)
    if answer.returncode != 0:
        raise OSError(f"{NFT} refuses {path}: {answer.stderr.strip()}")


def load(path: str) -> None:
    answer = _run("--file", path)
    if answer.returncode != 0:
        raise OSError(f"{NFT} refuses {path}: {answer.stderr.strip()}")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([NFT, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"{NFT} is not on this host; install Debian's package nftables") from None
