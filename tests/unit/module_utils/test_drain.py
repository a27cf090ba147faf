# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._drain import INTERVAL, wait_until_drained


@pytest.mark.parametrize(
    ("counts", "timeout", "left", "waited"),
    [
        ([0], 30, 0, 0.0),
        ([3, 2, 0], 30, 0, 2 * INTERVAL),
        ([3, 2, 1], 2 * INTERVAL, 1, 2 * INTERVAL),
        ([5], 0, 5, 0.0),
    ],
)
def test_wait_until_drained(counts: list[int], timeout: float, left: int, waited: float, clock: t.Any) -> None:
    script = iter(counts)
    assert wait_until_drained(lambda: next(script), timeout, clock.now, clock.sleep) == (left, pytest.approx(waited))
    assert list(script) == [], "not looked at to the end"


def test_the_wait_ends(clock: t.Any) -> None:
    left, waited = wait_until_drained(lambda: 1, 30, clock.now, clock.sleep)
    assert left == 1
    assert 30 <= waited <= 30 + INTERVAL
