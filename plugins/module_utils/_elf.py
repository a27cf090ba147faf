# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Which machine a program was built for, by the header of its ELF file."""

from __future__ import annotations

import struct

HEADER = 20

# The field e_machine, and what uname calls that machine.
MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}


# Machines that run programs for another one as well.
ALSO_RUNS = {"x86_64": "i686", "aarch64": "armv7l"}


def runs_on(machine: str, program: str | None) -> bool:
    """Whether a machine runs a program that was built for another; what is no ELF program is not for us to judge."""
    return program in (None, machine, ALSO_RUNS.get(machine))


def built_for(header: bytes) -> str | None:
    """The machine that a program was built for, or None where the file is no ELF program.

    Raises ValueError for an ELF file that is cut short.
    """
    if not header.startswith(b"\x7fELF"):
        return None
    if len(header) < HEADER:
        raise ValueError("its ELF header is cut short")
    order = "<" if header[5] == 1 else ">"
    number = struct.unpack_from(f"{order}H", header, 18)[0]
    return MACHINES.get(number, f"a machine with the ELF number {number}")
