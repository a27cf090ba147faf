# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The benchmark of the edge says so if nginx as we have it is not twice as good as the plain one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("benchmark_edge", Path(__file__).parents[2] / "benchmarks/edge.py")
assert spec
assert spec.loader
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)


@pytest.mark.parametrize(("ours", "good"), [(2000.0, True), (2500.0, True), (1999.0, False), (900.0, False)])
def test_ours_wants_to_be_twice_as_good_as_the_plain_one(ours: float, good: bool) -> None:
    assert bool(benchmark.beyond({"ours": ours, "plain": 1000.0, "none": 9000.0})) != good
