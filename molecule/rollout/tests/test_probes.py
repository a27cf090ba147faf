"""A gate asks a real Postgres and a real Redis. Good answers are what the service's ordinary gate is content with."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from trial import Play, Service

POSTGRES, REDIS = 0, 1

# Which of the service's probes is asked otherwise, how, and what the gate says of it.
BAD: dict[str, tuple[int, dict[str, Any], str]] = {
    "another answer": (POSTGRES, {"answer": "nobody"}, r"gave 'notes', wanted 'nobody'"),
    "no row": (POSTGRES, {"query": "SELECT 1 WHERE false"}, r"gave no row, wanted 'notes'"),
    "an answer too late": (POSTGRES, {"query": "SELECT pg_sleep(60)", "timeout": 1}, r"gave no answer within 1\.0 s"),
    "a query that writes": (POSTGRES, {"query": "CREATE TABLE notes_of_a_gate ()"}, r"read-only transaction"),
    "a query that is none": (POSTGRES, {"query": "SELECT nothing"}, r"\"nothing\" does not exist"),
    "a wrong password": (POSTGRES, {"password": "wrong", "timeout": 30}, r"password authentication failed"),
    "a wrong password for Redis": (REDIS, {"password": "wrong"}, r"WRONGPASS"),
    "no password for Redis": (REDIS, {"password": None}, r"NOAUTH"),
    "no Redis": (REDIS, {"port": 1}, r"Connection refused"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_gate_stays_closed_for(what: str, notes: Service) -> None:
    number, otherwise, cause = BAD[what]
    probes = f"{{{{ [app_gate_probes[{number}] | combine({otherwise})] }}}}"
    gate = {"probes": probes, "successes": 1, "interval": 0.1, "timeout": 0.5}
    words = ["ansible", "app1", "-i", str(notes.inventory), "-m", "evenkeel.fleet.health_gate", "-a", json.dumps(gate)]
    done = Play(words, {}).end()
    assert done.status > 0
    assert re.search(cause, done.output), done.output
