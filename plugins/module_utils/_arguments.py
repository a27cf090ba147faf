# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Arguments that several modules share; documented in doc_fragments/service.py."""

from __future__ import annotations

import typing as t

SERVICE: dict[str, t.Any] = {
    "service": {"type": "str", "required": True},
    "root": {"type": "path"},
}

ROLLOUT: dict[str, t.Any] = {"rollout": {"type": "str"}}

PORTS: dict[str, t.Any] = {
    "ports": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "public": {"type": "int", "required": True},
            "blue": {"type": "int", "required": True},
            "green": {"type": "int", "required": True},
        },
    },
}
