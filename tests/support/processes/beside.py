"""A sidecar in a process of its own, beside those in this one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.support.processes import services

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from sidegate_sidecar.process import Process


class Child(services.Sidecar):
    """A sidecar in a process of its own, beside those in this one."""

    ready_at = "/readyz"

    def __init__(self, name: str, *seeds: Process, options: Sequence[str] = ()) -> None:
        super().__init__(name)
        self._options = [*options, *(f"--seed={node.link}" for node in seeds)]

    @property
    def command(self) -> list[str]:
        return [*super().command, *self._options]


@asynccontextmanager
async def process(name: str, *seeds: Process, options: Sequence[str] = ()) -> AsyncGenerator[Child]:
    """Start a sidecar in a process, and end it, in whatever state it is."""
    sidecar = Child(name, *seeds, options=options)
    try:
        sidecar.launch()
        await asyncio.to_thread(sidecar.wait)
        yield sidecar
    finally:
        await asyncio.to_thread(sidecar.kill)
        sidecar.close()
