"""Fixtures of the trials: the service of the fleet, and strict clients."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from load import Load
from trial import Service

FLEET = f"{os.environ.get('FLEET_PREFIX', 'evenkeel')}-operator"


@pytest.fixture(scope="session")
def notes() -> Service:
    return Service(FLEET, "notes", port=80, host_port=8000)


@pytest.fixture
def load(notes: Service) -> Iterator[Callable[..., Load]]:
    """Puts load on the service; what a test does not end itself ends with it."""
    begun: list[Load] = []

    def begin(*options: str, **where: str) -> Load:
        begun.append(notes.load("--connections", "16", "--rate", "150", *options, **where))
        return begun[-1]

    yield begin
    for one in begun:
        one.client.kill()
