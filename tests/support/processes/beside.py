"""A sidecar in a process of its own, beside those in this one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sidegate_sidecar.process import Process
from tests.support.processes.services import Sidecar


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
