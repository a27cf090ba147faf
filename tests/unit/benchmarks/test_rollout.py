"""A benchmark of rollouts names each figure that is beyond its target, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("benchmark_rollout", Path(__file__).parents[2] / "benchmarks/rollout.py")
assert spec
assert spec.loader
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)

GOOD = {
    3: {"tasks/host": 10.0, "overhead s": 3.0, "undo s": 5.0, "update s": 20.0},
    30: {"tasks/host": 10.0, "overhead s": 30.0, "undo s": 50.0, "update s": 80.0},
}


def fleets(worse: dict[int, dict[str, float]], measured: tuple[int, ...] = (3, 30)) -> list[dict[str, float]]:
    return [{"hosts": float(hosts), **GOOD[hosts], **worse.get(hosts, {})} for hosts in measured]


def test_nothing_is_beyond_its_target() -> None:
    assert benchmark.beyond(fleets({})) == []
    assert benchmark.beyond(fleets({30: {"update s": 1000.0}}, measured=(30,))) == []


@pytest.mark.parametrize(
    ("hosts", "figure", "value", "most"),
    [
        (3, "tasks/host", 11.0, 10.0),
        (30, "tasks/host", 11.0, 10.0),
        (3, "overhead s", 3.1, 3.0),
        (3, "undo s", 5.1, 5.0),
        (30, "update s", 80.1, 80.0),
    ],
)
def test_what_is_beyond_its_target_is_named(hosts: int, figure: str, value: float, most: float) -> None:
    assert benchmark.beyond(fleets({hosts: {figure: value}})) == [
        f"{figure} is {value:.1f} with {hosts} hosts, wanted at most {most:.1f}"
    ]
