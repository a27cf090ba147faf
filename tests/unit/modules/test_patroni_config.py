# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _http
from ansible_collections.evenkeel.fleet.plugins.modules.patroni_config import Api, caught_up, give, wait_for_leader

RUNNING = '{"state": "running", "role": "primary"}'
LED = '{"members": [{"role": "leader"}]}'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., list[_http.Request]]:
    """Has Patroni say one thing after the other, the last one for ever."""

    def begin(*said: t.Any) -> list[_http.Request]:
        requests: list[_http.Request] = []

        def ask(request: _http.Request) -> _http.Reply:
            requests.append(request)
            answer = said[min(len(requests), len(said)) - 1]
            if isinstance(answer, OSError):
                raise answer
            return _http.Reply(answer[0], answer[1], 0)

        monkeypatch.setattr(_http, "ask", ask)
        return requests

    return begin


class Clock:
    time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def api() -> Api:
    return Api("http://10.0.0.1:8008", "evenkeel", "s3cret")


def test_a_member_is_waited_for(asked: t.Any, api: Api) -> None:
    clock = Clock()
    asked(
        OSError("refused"),
        (503, '{"state": "starting"}'),
        (200, "{}"),
        (502, ""),
        (200, RUNNING),
        (200, LED),
        (200, "{}"),
    )
    member, config = wait_for_leader(api, 60, clock.now, clock.sleep)
    assert member.leads
    assert config == {}
    assert clock.time == 4.0


def test_waiting_ends(asked: t.Any, api: Api) -> None:
    clock = Clock()
    asked((200, RUNNING), (200, '{"members": []}'), (200, "{}"), OSError("refused"))
    with pytest.raises(ValueError, match=r"within 5 s, seen refused; journalctl -u patroni says why"):
        wait_for_leader(api, 5, clock.now, clock.sleep)


def test_members_that_are_given_settings_at_once_look_again(asked: t.Any, api: Api) -> None:
    asked((409, "Config has changed meanwhile"), (200, "{}"), (503, ""))
    assert not give(api, {"ttl": 30})
    assert give(api, {"ttl": 30})
    with pytest.raises(ValueError, match="refuses the settings with status 503"):
        give(api, {"ttl": 30})


def rounds(*seen: int) -> list[tuple[int, str]]:
    return [
        (200, f'{{"state": "running", "dcs_last_seen": {at}, "pending_restart": {str(at > 20).lower()}}}')
        for at in seen
    ]


def test_a_member_has_two_more_rounds_to_know_what_waits_for_a_restart(asked: t.Any, api: Api) -> None:
    clock = Clock()
    asked(*rounds(10, 10, 20, 20, 30))
    assert caught_up(api, 60, clock.now, clock.sleep).pending_restart
    assert clock.time == 8.0


def test_a_member_that_reads_nothing_is_not_waited_for_for_ever(asked: t.Any, api: Api) -> None:
    clock = Clock()
    asked(*rounds(10))
    with pytest.raises(ValueError, match="reads the settings anew within 5 s, but it was last seen to do so at 10"):
        caught_up(api, 5, clock.now, clock.sleep)


def test_who_is_not_let_in_need_not_wait(asked: t.Any, api: Api) -> None:
    asked((401, "no auth header received"))
    with pytest.raises(ValueError, match="does not take the user and password") as caught:
        wait_for_leader(api, 60, lambda: 0, lambda _seconds: None)
    assert "s3cret" not in str(caught.value)


def test_settings_are_sent_as_json(asked: t.Any, api: Api) -> None:
    requests = asked((200, "{}"))
    assert api.ask("/config", "PATCH", {"ttl": None}) == (200, {})
    assert (requests[0].method, requests[0].url) == ("PATCH", "http://10.0.0.1:8008/config")
    assert requests[0].body == '{"ttl": null}'
    assert requests[0].headers["Authorization"] == "Basic ZXZlbmtlZWw6czNjcmV0"
