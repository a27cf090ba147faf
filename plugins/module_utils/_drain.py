# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Waiting for a slot to empty, with the clock given from outside."""

from __future__ import annotations

import typing as t

INTERVAL = 0.2


def wait_until_drained(
    count: t.Callable[[], int],
    timeout: float,
    now: t.Callable[[], float],
    sleep: t.Callable[[float], None],
) -> tuple[int, float]:
    """Wait until nothing is open any more or the timeout has passed.

    Returns how many connections are still open, and how many seconds the wait took.
    """
    started = now()
    while True:
        left, waited = count(), now() - started
        if left == 0 or waited >= timeout:
            return left, round(waited, 3)
        sleep(INTERVAL)
