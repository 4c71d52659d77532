"""A clock that stands still at the begin of a window of each length, and nobody to ask."""

import socket
from collections.abc import Iterator

import pytest

from tests.compat.limits.plug.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(0.0)
    clock.set_up(monkeypatch)
    return clock


@pytest.fixture
def nowhere() -> Iterator[str]:
    """Give an address at which nobody listens, and nobody will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"
