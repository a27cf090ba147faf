# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What unit tests share: the checkout on the path, and a clock that nobody has to wait for."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import rendering
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parents[2]

# First on the path, so that an installed copy of the collection is never the one under test.
assert sys.path[0] == rendering.COLLECTIONS

# A slow machine is no reason for a test to fail, and a found example must be found again by the next person.
settings.register_profile("evenkeel", deadline=None, derandomize=True, max_examples=200, database=None)
settings.load_profile("evenkeel")


@dataclass
class Clock:
    """A clock that only moves when somebody sleeps."""

    time: float = 1000.0
    naps: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += seconds


@pytest.fixture
def checkout() -> Path:
    return CHECKOUT


@pytest.fixture
def clock() -> Clock:
    return Clock()
