"""A sidecar in a process of its own, beside those in this one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.support.processes.services import Sidecar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sidegate_sidecar.process import Process


@asynccontextmanager
async def process(
    name: str, *seeds: Sidecar | Process, is_ready: bool = True, **options: Any
) -> AsyncGenerator[Sidecar]:
    """Start a sidecar in a process, wait until it is ready if it will be, and end it."""
    sidecar = Sidecar(name, *seeds, **options)
    try:
        sidecar.launch()
        if is_ready:
            await asyncio.to_thread(sidecar.wait)
        yield sidecar
    finally:
        await asyncio.to_thread(sidecar.close)
