# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Arguments that several modules share.

They are documented in doc_fragments/service.py, those of a probe in modules/health_gate.py.
"""

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

PROBES: dict[str, t.Any] = {
    "probes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "type": {
                "type": "str",
                "choices": ["http", "tcp", "unit", "postgres", "redis", "command"],
                "default": "http",
            },
            "timeout": {"type": "float", "default": 5},
            "url": {"type": "str"},
            "method": {"type": "str", "default": "GET"},
            "headers": {"type": "dict", "default": {}, "no_log": True},
            "request_body": {"type": "str", "no_log": True},
            "status": {"type": "list", "elements": "int", "default": [200]},
            "json": {"type": "dict", "default": {}},
            "body": {"type": "str"},
            "max_latency": {"type": "float"},
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "tls": {"type": "bool", "default": False},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "server_name": {"type": "str"},
            "unit": {"type": "str"},
            "restarts": {"type": "int", "default": 0},
            "database": {"type": "str"},
            "query": {"type": "str", "default": "SELECT 1"},
            "answer": {"type": "str"},
            "argv": {"type": "list", "elements": "str"},
            "user": {"type": "str"},
            "exit_status": {"type": "int", "default": 0},
            "output": {"type": "str"},
        },
        "required_if": [
            ("type", "http", ["url"]),
            ("type", "unit", ["unit"]),
            ("type", "postgres", ["database", "username"]),
            ("type", "command", ["argv", "user"]),
        ],
    },
}

METRICS: dict[str, t.Any] = {
    "url": {"type": "str"},
    "prometheus_url": {"type": "str"},
    "prometheus_labels": {"type": "dict", "default": {}},
    "requests": {"type": "str", "default": "http_requests_total"},
    "status_label": {"type": "str", "default": "status"},
    "errors": {"type": "str", "default": "5.."},
    "latency": {"type": "str", "default": "http_request_duration_seconds"},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 10},
    "before": {"type": "dict", "default": {}},
    "period": {"type": "str", "default": ""},
}
