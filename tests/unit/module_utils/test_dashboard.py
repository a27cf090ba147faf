# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
import typing as t
from itertools import combinations
from pathlib import Path

import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils._dashboard import dashboard

PANELS = Path(__file__).resolve().parents[3] / "roles/monitoring/files/panels.yml"


def made() -> dict[str, t.Any]:
    return dashboard("The fleet", yaml.safe_load(PANELS.read_text()))


def test_every_row_and_panel_is_there_once() -> None:
    rows = yaml.safe_load(PANELS.read_text())
    titles = [title for name, row in rows.items() for title in [name, *(panel["title"] for panel in row)]]
    assert [panel["title"] for panel in made()["panels"]] == titles
    assert len({panel["id"] for panel in made()["panels"]}) == len(titles)


def test_no_panel_covers_another() -> None:
    def covered(place: dict[str, int]) -> set[tuple[int, int]]:
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        return {(column, line) for column in columns for line in lines}

    places = [covered(panel["gridPos"]) for panel in made()["panels"]]
    assert not [1 for one, other in combinations(places, 2) if one & other]
    assert max(column for place in places for column, _line in place) < 24


def test_lines_are_told_apart_by_labels_and_words() -> None:
    [network] = [panel for panel in made()["panels"] if panel["title"] == "Network"]
    assert [query["legendFormat"] for query in network["targets"]] == ["{{host}} received", "{{host}} sent"]


def test_its_reader_chooses() -> None:
    variables = {variable["name"] for variable in made()["templating"]["list"]}
    asked = {name for query in queries() for name in re.findall(r"\$(\w+)", query)}
    assert asked == variables - {"datasource"}


def queries() -> list[str]:
    return [query["expr"] for panel in made()["panels"] for query in panel.get("targets", [])]
