"""How the tests of whole clusters run: on uvloop, as sidecars do; those of apps on both loops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    import pytest


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], AbstractEventLoop]]:
    """Run all tests of this folder on uvloop, and those of a busy loop on asyncio's own too."""
    factories: dict[str, Callable[[], AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.stem == "test_own_trouble":
        factories["asyncio"] = asyncio.new_event_loop
    return factories
