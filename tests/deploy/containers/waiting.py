"""Waiting for what containers do, with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 60.0  # seconds
A_MOMENT: Final = 0.2  # seconds between two looks


def wait_until(true: Callable[[], bool], told: Callable[[], str]) -> None:
    """Wait for a condition; the test fails with what is told when it doesn't come true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(told())
        time.sleep(A_MOMENT)
