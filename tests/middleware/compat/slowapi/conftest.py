"""A clock that tests of counts in this process move."""

import pytest

from tests.compat.slowapi.libraries import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have `time.time` stand still, where an hour begins."""
    clock = Clock(1_800_000_000.0)
    monkeypatch.setattr("time.time", clock)
    return clock
