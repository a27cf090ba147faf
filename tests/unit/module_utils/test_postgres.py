# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import sys

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres import DriverMissingError, first_row


def test_a_host_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, see molecule/rollout/tests/test_probes.py."""
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(DriverMissingError, match="wanted the package python3-psycopg2"):
        first_row({}, "SELECT 1", 5)
