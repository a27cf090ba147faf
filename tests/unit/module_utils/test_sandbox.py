# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._sandbox import SANDBOX, sandboxed
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text

# 2.0, as systemd-analyze counts it.
MOST_EXPOSED = 20


def exposed(service: dict[str, t.Any], directory: Path) -> bool:
    unit = directory / "thing.service"
    unit.write_text(unit_text({"Service": {"ExecStart": "/bin/true", **service}}))
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)]
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_what_a_service_says_itself_counts() -> None:
    unit = sandboxed({"ProcSubset": "all", "ExecStart": "/bin/true"})
    assert unit == {**SANDBOX, "ProcSubset": "all", "ExecStart": "/bin/true"}


@pytest.mark.parametrize("own", [{}, {"CapabilityBoundingSet": "CAP_DAC_READ_SEARCH"}])
def test_little_is_left_open(own: dict[str, t.Any], tmp_path: Path) -> None:
    assert not exposed(sandboxed(own), tmp_path)
    assert exposed(own, tmp_path)
