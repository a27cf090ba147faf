# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What -e gives is text, whatever it looks like; the role's sums come out the same."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[4] / "roles/app"
SUMS = [
    "__app_bake_min_healthy",
    "__app_bake_timeout",
    "__app_metrics_extra_looks",
    "__app_metrics_looks",
]


def trusted(value: t.Any) -> t.Any:
    return trust_as_template(value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_of_text_is_the_sum_of_its_numbers(name: str) -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    variables = {**defaults, **yaml.safe_load((ROLE / "vars/main.yml").read_text())}
    variables["__app_mine"] = {"strategy": "in_place", "release_from": "1.0.0-0123456789ab"}
    numbers = {option: value for option, value in defaults.items() if type(value) in (int, float)}
    assert numbers
    sums = [
        Templar(DataLoader(), {key: trusted(value) for key, value in (variables | given).items()}).template(
            trust_as_template(f"{{{{ {name} }}}}")
        )
        for given in ({}, {option: str(value) for option, value in numbers.items()})
    ]
    assert float(sums[0]) > 0
    assert sums[0] == sums[1]
