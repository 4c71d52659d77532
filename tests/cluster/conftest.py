"""How tests of whole clusters run: on uvloop, as sidecars do; and what many of them ask."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Generator

import pytest
import uvloop

from tests.support.processes.fixtures import address, addresses
from tests.support.processes.services import Sidecar, running

__all__ = ["address", "addresses"]


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], AbstractEventLoop]]:
    """Run all tests of this folder on uvloop, and those of a busy loop on asyncio's own too."""
    factories: dict[str, Callable[[], AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.stem == "test_own_trouble":
        factories["asyncio"] = asyncio.new_event_loop
    return factories


@pytest.fixture(scope="module")
def sidecar() -> Generator[Sidecar]:
    """Run a sidecar for all tests of a file."""
    sidecar = Sidecar("a")
    with running(sidecar):
        yield sidecar


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Return a key that no other test of a file has."""
    return str(request.node.name)
