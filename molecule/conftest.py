"""Fixtures of the scenarios' tests: the services of the fleet, and strict clients that nothing may fail for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from load import Load
from trial import Service


@pytest.fixture(scope="module")
def fleet_name(request: pytest.FixtureRequest) -> str:
    """The fleet of the scenario that the test belongs to: molecule/<scenario>/tests/test_*.py."""
    return f"{os.environ.get('FLEET_PREFIX', 'evenkeel')}-{request.path.parents[1].name}"


@pytest.fixture(scope="module")
def notes(fleet_name: str) -> Service:
    """On three hosts."""
    return Service(fleet_name, "notes", port=80, host_port=8000)


@pytest.fixture(scope="module")
def memos(fleet_name: str) -> Service:
    """On a host of its own, all in memory."""
    return Service(fleet_name, "memos", port=81, host_port=9000)


@pytest.fixture
def load() -> Iterator[Callable[..., Load]]:
    """Puts load on a service; what a test does not end itself ends with it."""
    begun: list[Load] = []

    def begin(service: Service, *options: str, **where: str) -> Load:
        begun.append(service.load(*options, **where))
        return begun[-1]

    yield begin
    for one in begun:
        one.client.kill()


@pytest.fixture
def strict(load: Callable[..., Load]) -> Callable[..., Load]:
    """The load of the promise: 32 keep-alive connections, GET and POST, and 8 websockets beside them."""
    promised = ("--connections", "32", "--websockets", "8", "--rate", "300")
    return lambda service, *options, **where: load(service, *promised, *options, **where)


@pytest.fixture
def nobody_noticed() -> Callable[..., None]:
    def check(report: dict[str, Any], at_least: int = 1000) -> None:
        assert report["first_failures"] == []
        assert (report["failed"], report["lost"], report["websockets"]["failed"]) == (0, 0, 0)
        assert report["requests"] >= at_least, "too few to mean anything"

    return check
