"""Fixtures of the trials: the fleet's hosts."""

from __future__ import annotations

import pytest
from cluster import Hosts


@pytest.fixture(scope="module")
def hosts(fleet_name: str) -> Hosts:
    """All of them up."""
    found = Hosts(fleet_name)
    found.boot()
    return found
