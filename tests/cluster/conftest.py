"""How the tests of whole clusters run: on uvloop, as sidecars do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """Run all tests of this folder on uvloop."""
    return {"uvloop": uvloop.new_event_loop}
