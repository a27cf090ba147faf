# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import platform
import struct
import sys

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._elf import HEADER, built_for, runs_on


def header(number: int, order: str = "<") -> bytes:
    """An ELF header up to and with e_machine: magic, class, byte order, version, padding, type, machine."""
    return struct.pack(f"{order}4sBBB9xHH", b"\x7fELF", 2, 1 if order == "<" else 2, 1, 2, number)


@pytest.mark.parametrize(
    ("number", "machine"),
    [
        (3, "i686"),
        (40, "armv7l"),
        (62, "x86_64"),
        (183, "aarch64"),
        (243, "riscv64"),
        (8, "a machine with the ELF number 8"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_machines(number: int, machine: str, order: str) -> None:
    assert built_for(header(number, order)) == machine


def test_a_program_of_this_machine() -> None:
    with open(os.path.realpath(sys.executable), "rb") as file:
        assert built_for(file.read(HEADER)) == platform.machine()


@pytest.mark.parametrize("text", [b"", b"#!/bin/sh\n", b"\x7fEL", b"MZ" + bytes(40)])
def test_what_is_no_elf_program(text: bytes) -> None:
    assert built_for(text) is None


@pytest.mark.parametrize("length", [4, 5, 18, 19])
def test_a_header_that_is_cut_short(length: int) -> None:
    with pytest.raises(ValueError, match="its ELF header is cut short"):
        built_for(header(62)[:length])


@pytest.mark.parametrize(
    ("machine", "program", "runs"),
    [
        ("x86_64", "x86_64", True),
        ("x86_64", "i686", True),
        ("x86_64", "aarch64", False),
        ("aarch64", "armv7l", True),
        ("i686", "x86_64", False),
        ("x86_64", None, True),
    ],
)
def test_which_machine_runs_what(machine: str, program: str | None, runs: bool) -> None:
    assert runs_on(machine, program) is runs
