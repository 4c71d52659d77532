"""A sidecar, and whom it turned away."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sidegate_sidecar.links.sessions import Timeouts
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import config

PATIENT = Timeouts()
HASTY = Timeouts(handshake=0.05, frame=0.05, unread=0.05, look_every=0.01)


@asynccontextmanager
async def sidecar(patience: Timeouts = PATIENT, **options: object) -> AsyncGenerator[Process]:
    node = Process(config("n1", **options))
    node.sessions.patience = patience
    async with node:
        yield node


def turned_away(node: Process) -> dict[str, int]:
    return dict(node.node.counts.turned_away)
