# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import socket
import typing as t

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PROBES
from ansible_collections.evenkeel.fleet.plugins.modules import health_gate


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


QUICK = {"successes": 1, "interval": 0.05, "timeout": 0.1}


def test_secrets_of_probes_are_nowhere_in_the_result(run: t.Any, closed_port: int) -> None:
    probe = {
        "url": f"http://127.0.0.1:{closed_port}/?token=s3cret-4",
        "headers": {"X-Token": "s3cret-1"},
        "username": "ann",
        "password": "s3cret-2",
        "request_body": "s3cret-3",
    }
    result = run(health_gate, probes=[probe, {"type": "redis", "port": closed_port, "password": "s3cret-5"}], **QUICK)
    assert result["failed"]
    # What was asked for is part of every result before ansible-core 2.21, and a query is asked for.
    asked = result.pop("invocation", None)
    assert "s3cret" not in json.dumps(result)
    if asked:
        del asked["module_args"]["probes"][0]["url"]
        assert "s3cret" not in json.dumps(asked)
        assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in json.dumps(asked)


def test_a_failure_says_all_there_is_to_say(run: t.Any, closed_port: int) -> None:
    result = run(health_gate, base_url=f"http://127.0.0.1:{closed_port}", probes=[{"url": "/ready"}], **QUICK)
    assert result["msg"].startswith(f"not healthy after 0.1 s: GET http://127.0.0.1:{closed_port}/ready failed: ")
    assert (result["expected"], result["body"], result["journal"]) == ("an answer", "", [])
    assert "refused" in result["got"]
    assert len(result["timeline"]) == 1


def test_check_mode_returns_what_a_look_would(run: t.Any) -> None:
    looked_at = {name for name in yaml.safe_load(health_gate.RETURN) if name != "journal"}
    assert looked_at <= set(run(health_gate, check=True, probes=[{"url": "http://127.0.0.1:1/"}]))


@pytest.mark.parametrize(
    ("probes", "complaint"),
    [
        ([], "probes is empty"),
        ([{"url": "/ready"}], "without base_url"),
        ([{"type": "unit"}], "type is unit but all of the following are missing: unit"),
        ([{"type": "command", "argv": ["true"]}], "type is command but all of the following are missing: user"),
    ],
)
def test_bad_arguments(run: t.Any, probes: list[dict[str, t.Any]], complaint: str) -> None:
    result = run(health_gate, probes=probes)
    assert result["failed"]
    assert complaint in result["msg"]


def test_secrets_are_in_no_log() -> None:
    hidden = {name for name, option in PROBES["probes"]["options"].items() if option.get("no_log")}
    assert hidden == {"headers", "password", "request_body"}
