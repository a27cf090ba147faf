# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _redis
from ansible_collections.evenkeel.fleet.plugins.module_utils._sentinel import Command
from ansible_collections.evenkeel.fleet.plugins.modules import redis_sentinel

COMMANDS = [Command(("SENTINEL", "SET", "notes", "auth-pass", "hunter2")), Command(("SENTINEL", "FLUSHCONFIG"))]
Said = dict[str | None, list[str]]


@pytest.fixture
def sentinel(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What it says to whom, by password."""
    said: Said = {}
    monkeypatch.setattr(_redis, "ask", lambda server, _commands, _timeout: said[server.password])
    return said


def test_the_password_that_is_right_is_found(sentinel: Said) -> None:
    sentinel.update({"old": ["-WRONGPASS"], "new": ["+PONG", "+OK", "+OK"]})
    redis_sentinel.tell(26379, ["old", "new"], COMMANDS)


def test_a_new_one_wants_no_password(sentinel: Said) -> None:
    sentinel.update({"new": ["-WRONGPASS"], None: ["+PONG", "+OK", "+OK"]})
    redis_sentinel.tell(26379, ["", "new"], COMMANDS)


def test_nobody_is_let_in(sentinel: Said) -> None:
    sentinel.update({"new": ["-WRONGPASS"], None: ["-NOAUTH"]})
    with pytest.raises(ValueError, match="Sentinel on port 26379 lets nobody in"):
        redis_sentinel.tell(26379, ["", "new"], COMMANDS)


def test_what_is_refused_is_said_without_secrets(sentinel: Said) -> None:
    sentinel["new"] = ["+PONG", "-ERR No such master"]
    with pytest.raises(ValueError, match=r"refuses SENTINEL SET notes auth-pass \*{8}: ERR No such master"):
        redis_sentinel.tell(26379, ["new"], COMMANDS)


@pytest.mark.parametrize("bad", ["", "two words", 'a"b', "a\\b", "a'b", "ä"])
def test_what_sentinel_cannot_write_down_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="the password is empty or has other"):
        redis_sentinel.word(bad, "password")


def test_seconds_become_milliseconds() -> None:
    master = {"name": "notes", "address": "10.0.0.1", "port": 6379, "user": "sentinel", "password": "x", "quorum": 2}
    found = redis_sentinel.wanted([{**master, "down_after": 2.5, "failover_timeout": 60.0}])["notes"]
    assert found.options["down-after-milliseconds"] == "2500"
    assert found.options["failover-timeout"] == "60000"
