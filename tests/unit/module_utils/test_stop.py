# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._stop import Host, names_of, retiring, stopping


def host(service: str = "notes", running: bool = True, min_available: t.Any = "", **seen: t.Any) -> Host:
    slots = {"blue": {"running": running}, "green": {"running": False}}
    return Host(service, {"slots": slots, "switch": "blue", "ready": True, "retired": False, **seen}, min_available)


def lost(service: str = "notes") -> Host:
    return Host(service, None)


def fleet(count: int, **changes: Host) -> dict[str, Host]:
    return {f"app{number}": host() for number in range(1, count + 1)} | changes


def test_names() -> None:
    assert names_of(" app1, app2,app1,") == ["app1", "app2"]
    assert names_of("") == []


@pytest.mark.parametrize(
    ("names", "hosts"),
    [
        (["app3"], fleet(3)),
        (["app3"], fleet(3, app3=host(running=False))),
        (["app2", "app3"], fleet(3, **{name: host(min_available=1) for name in ("app1", "app2", "app3")})),
        (["app1"], fleet(2)),
        (["app3"], fleet(3, app3=host(retired=True), app2=host(running=False))),
        (["app3"], fleet(4, app4=host(retired=True))),
        (["app1"], fleet(3) | {"web1": lost("web")}),
    ],
    ids=[
        "one of three",
        "one that is down",
        "as few as wanted",
        "one of two",
        "again",
        "after another",
        "two services",
    ],
)
def test_what_may_be_retired(names: list[str], hosts: dict[str, Host]) -> None:
    assert retiring(names, hosts, {}) == names


FEW = "without app3, notes would be served by app1; it wants at least 2"


@pytest.mark.parametrize(
    ("names", "hosts", "complaint"),
    [
        ([], fleet(3), "no host is named; to retire app3, run it with -e app_retire=app3"),
        (["app9"], fleet(2), "app9 is no host of the play; there are: app1, app2"),
        (["notes"], fleet(2), "notes is no host of the play"),
        (["app1"], fleet(1), "would be served by no host; it wants at least 1"),
        (["app1"], {"app1": host(min_available=0)}, "would be served by no host; it wants at least 1"),
        (["app2", "app3"], fleet(3), "without app2, app3, notes would be served by app1; it wants at least 2"),
        (["app3"], fleet(3, app2=host(running=False)), FEW),
        (["app3"], fleet(3, app2=host(ready=False)), FEW),
        (["app3"], fleet(3, app2=host(switch="closed")), FEW),
        (["app3"], fleet(3, app2=lost()), FEW),
        (["app3"], {name: host(min_available="100%") for name in ("app1", "app2", "app3")}, "it wants at least 3"),
        (["app3"], fleet(3, app3=lost()), "app3 cannot be reached"),
    ],
)
def test_what_must_not_be_retired(names: list[str], hosts: dict[str, Host], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        retiring(names, hosts, {})


def test_all_hosts_of_the_service_have_to_be_asked() -> None:
    with pytest.raises(ValueError, match="app2 of notes is not in the play"):
        retiring(["app1"], fleet(1), {"app2": "notes"})
    assert retiring(["app1"], fleet(3), {"web1": "web"}) == ["app1"]


def test_what_stops_in_an_emergency() -> None:
    hosts = {"app1": host(), "web1": host("web"), "app2": lost()}
    assert stopping("notes", hosts) == ["app1", "app2"]
    assert stopping("all", hosts) == ["app1", "web1", "app2"]


@pytest.mark.parametrize("name", ["", "note", "app1"])
def test_a_service_has_to_be_named_to_be_stopped(name: str) -> None:
    with pytest.raises(ValueError, match="it wants the name of the service to stop, one of notes, or all"):
        stopping(name, fleet(2))
