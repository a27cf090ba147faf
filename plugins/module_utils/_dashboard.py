# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. A dashboard as Grafana imports it, from rows of panels."""

from __future__ import annotations

import re
import typing as t

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Grafana's grid is 24 wide.
WIDTH, HEIGHT, IN_A_ROW = 8, 8, 3

Panel = t.Mapping[str, t.Any]


def dashboard(title: str, rows: t.Mapping[str, t.Sequence[Panel]]) -> dict[str, t.Any]:
    """The dashboard of these rows; its reader chooses services and hosts."""
    panels: list[dict[str, t.Any]] = []
    below = 0
    for name, row in rows.items():
        panels.append({"type": "row", "title": name, "gridPos": {"x": 0, "y": below, "w": 24, "h": 1}, "panels": []})
        below += 1
        for number, panel in enumerate(row):
            place = {"x": number % IN_A_ROW * WIDTH, "y": below + number // IN_A_ROW * HEIGHT, "w": WIDTH, "h": HEIGHT}
            panels.append(_panel(panel, place))
        below += -(-len(row) // IN_A_ROW) * HEIGHT
    for number, each in enumerate(panels, start=1):
        each["id"] = number
    return {
        "title": title,
        "uid": re.sub(r"[^a-z0-9]+", "-", title.lower()),
        "schemaVersion": 36,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                _variable("service", 'label_values(up{job="service"}, service)'),
                _variable("host", "label_values(up, host)"),
            ]
        },
        "annotations": {"list": [_alerts()]},
        "panels": panels,
    }


def _panel(panel: Panel, place: t.Mapping[str, int]) -> dict[str, t.Any]:
    return {
        "type": "timeseries",
        "title": panel["title"],
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel["unit"], "custom": {"fillOpacity": 10}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": query["expr"],
                "legendFormat": _legend(query),
            }
            for number, query in enumerate(panel["queries"])
        ],
    }


def _legend(query: t.Mapping[str, t.Any]) -> str:
    """The labels as Grafana fills them in, and the word that tells two queries of a panel apart."""
    return " ".join([*(f"{{{{{label}}}}}" for label in query["labels"]), query.get("as", "")]).strip()


def _variable(name: str, query: str) -> dict[str, t.Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _alerts() -> dict[str, t.Any]:
    return {
        "name": "Alerts",
        "enable": True,
        "datasource": SOURCE,
        "expr": 'ALERTS{alertstate="firing", severity!="heartbeat"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{host}} {{service}}",
        "iconColor": "red",
    }
