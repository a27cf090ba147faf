"""Fixtures of the trials: the two services of the fleet, and strict clients that nothing may fail for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from load import Load
from trial import Service

FLEET = f"{os.environ.get('FLEET_PREFIX', 'evenkeel')}-rollout"


@pytest.fixture(scope="session")
def notes() -> Service:
    """On three hosts, with a database."""
    return Service(FLEET, "notes", port=80, host_port=8000)


@pytest.fixture(scope="session")
def memos() -> Service:
    """On a host of its own, all in memory."""
    return Service(FLEET, "memos", port=81, host_port=9000)


@pytest.fixture
def load() -> Iterator[Callable[..., Load]]:
    """Puts load on a service; what a test does not end itself ends with it."""
    begun: list[Load] = []

    def begin(service: Service, *options: str) -> Load:
        begun.append(service.load(*options))
        return begun[-1]

    yield begin
    for one in begun:
        one.client.kill()


@pytest.fixture
def strict(load: Callable[..., Load]) -> Callable[..., Load]:
    """The load of the promise: 32 keep-alive connections, GET and POST, and 8 websockets beside them."""
    return lambda service, *options: load(
        service, *options, "--connections", "32", "--websockets", "8", "--rate", "300"
    )


@pytest.fixture
def nobody_noticed() -> Callable[[dict[str, Any]], None]:
    def check(report: dict[str, Any]) -> None:
        assert report["first_failures"] == []
        assert (report["failed"], report["lost"], report["websockets"]["failed"]) == (0, 0, 0)
        assert report["requests"] > 500, "too few to mean anything"

    return check
