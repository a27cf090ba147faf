# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from dataclasses import replace

from ansible_collections.evenkeel.fleet.plugins.module_utils._sentinel import (
    DEFAULTS,
    Command,
    Master,
    State,
    parse,
    plan,
)

PACKAGED = """\
port 26379
sentinel monitor mymaster 127.0.0.1 6379 2
user default on nopass sanitize-payload ~* &* +@all
sentinel myid bd0dbf7ec54ee66d53ebfa1df901ce4a944b3a78
"""
# As Sentinel 8.0 wrote it. The hash is that of "peers".
RUNNING = """\
# user default on #0000 in a comment
dir "/var/lib/redis"
user default on sanitize-payload #722c57af20d9026d7824a85e7f71eb1e868fee08903733d73e858c329e52c42a ~* &* +@all
sentinel myid a8e7db5cb15ddb29f108f0457e2f8053ce03d710
sentinel current-epoch 3
sentinel monitor notes 10.0.0.2 6379 2
sentinel config-epoch notes 3
sentinel auth-user notes sentinel
sentinel auth-pass notes secret
sentinel down-after-milliseconds notes 10000
sentinel known-replica notes 10.0.0.1 6379
sentinel sentinel-pass peers
sentinel known-sentinel notes 10.0.0.2 26379 e32878d5059e3bc5b1f079dfbd7cef145471662f
"""
OPTIONS = {**DEFAULTS, "auth-user": "sentinel", "auth-pass": "secret", "down-after-milliseconds": "10000"}
NOTES = Master("10.0.0.1", "6379", "2", OPTIONS)


def words(commands: list[Command]) -> list[str]:
    return [" ".join(command.words) for command in commands]


def test_the_file_says_what_is_watched() -> None:
    state = parse(RUNNING)
    assert state.masters == {"notes": replace(NOTES, address="10.0.0.2")}
    assert state.password == "peers"
    assert len(state.hashes) == 1
    assert parse(PACKAGED) == State({"mymaster": Master("127.0.0.1", "6379", "2", DEFAULTS)})


def test_nothing_to_do_whoever_is_primary_by_now() -> None:
    assert plan(parse(RUNNING), {"notes": NOTES}, "peers") == []


def test_a_sentinel_that_is_new() -> None:
    commands = plan(parse(PACKAGED), {"notes": NOTES}, "peers")
    assert words(commands) == [
        "SENTINEL REMOVE mymaster",
        "SENTINEL MONITOR notes 10.0.0.1 6379 2",
        "SENTINEL SET notes auth-pass secret",
        "SENTINEL SET notes auth-user sentinel",
        "SENTINEL SET notes down-after-milliseconds 10000",
        "ACL SETUSER default reset on >peers ~* &* +@all",
        "SENTINEL CONFIG SET sentinel-pass peers",
        "SENTINEL FLUSHCONFIG",
    ]
    shown = "\n".join(command.shown for command in commands)
    assert "secret" not in shown
    assert "peers" not in shown


def test_the_name_that_the_package_uses() -> None:
    commands = words(plan(parse(PACKAGED), {"mymaster": NOTES}, "peers"))
    assert commands[:2] == ["SENTINEL REMOVE mymaster", "SENTINEL MONITOR mymaster 10.0.0.1 6379 2"]
    here = replace(NOTES, address="localhost")
    assert not [line for line in words(plan(parse(PACKAGED), {"mymaster": here}, "peers")) if "REMOVE" in line]


def test_only_what_differs_is_set() -> None:
    wanted = replace(NOTES, quorum="3", options={**OPTIONS, "failover-timeout": "60000"})
    assert words(plan(parse(RUNNING), {"notes": wanted}, "peers")) == [
        "SENTINEL SET notes quorum 3",
        "SENTINEL SET notes failover-timeout 60000",
        "SENTINEL FLUSHCONFIG",
    ]


def test_a_new_password_lets_in_before_it_is_said_to_others() -> None:
    assert [line.split()[0] for line in words(plan(parse(RUNNING), {"notes": NOTES}, "new"))] == [
        "ACL",
        "SENTINEL",
        "SENTINEL",
    ]
