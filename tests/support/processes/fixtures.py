"""Fixtures of tests that run apps as processes: a sidecar, and addresses to ask from."""

from collections.abc import Generator, Iterator
from itertools import count

import pytest

from tests.support.processes.services import Sidecar, running


@pytest.fixture(scope="session")
def sidecar() -> Generator[Sidecar]:
    """Run a sidecar for all of them."""
    sidecar = Sidecar("shared")
    with running(sidecar):
        yield sidecar


@pytest.fixture(scope="session")
def addresses() -> Iterator[str]:
    """Give addresses that no test calls from."""
    return (f"198.18.{number // 250}.{number % 250}" for number in count())


@pytest.fixture
def address(addresses: Iterator[str]) -> str:
    """Return an address that no other test calls from."""
    return next(addresses)
