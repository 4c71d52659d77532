"""A clock that stands still, at the begin of a window of each length."""

import pytest

from tests.compat.limits.plug.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(0.0)
    clock.set_up(monkeypatch)
    return clock
