"""A sidecar with a client that asks it all the time, and is to notice nothing; bad frames."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest

from sidegate.buckets.decision import Decision
from sidegate.protocol.codec import encode
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import cluster, eventually, key_of, sources, witness
from tests.support.in_process.puppets import APP, frame

NONCE = b"n" * 32
SECRET = b"hush"


@dataclass
class Watched:
    """A sidecar, and what a client got that asks it all the time, for a key of another sidecar."""

    node: Process
    decisions: list[Decision]
    seen: int = 0

    async def unmoved(self, turned_away: dict[str, int] | None = None) -> None:
        """Check that the client noticed nothing since last time, and what was counted is so."""
        counted = self.node.node.counts.turned_away
        await eventually(lambda: counted == (turned_away or {}))
        more = len(self.decisions) + 5
        await eventually(lambda: len(self.decisions) >= more)
        assert sources(self.decisions[self.seen :]).keys() == {"owner"}
        self.seen = len(self.decisions)
        await eventually(lambda: len(self.node.sessions.open) == 2)  # the client's, and n2's
        assert self.node.cluster.agrees
        counted.clear()


@asynccontextmanager
async def watched(**options: object) -> AsyncGenerator[Watched]:
    """Run two sidecars and a client that asks one about a key of the other, all the time."""
    secret = options.get("secret", b"")
    async with cluster("n1", "n2", **options) as (one, _):
        key = key_of("n2", one.cluster.ring)
        async with witness(one, key, secret=secret) as decisions:
            yield Watched(one, decisions)


together = pytest.mark.asyncio(loop_scope="module")
"""For tests that use one of these."""


def pack(*values: object) -> bytes:
    """Return a frame with any values."""
    return frame(msgspec.msgpack.encode(values))


def hello(**changes: object) -> bytes:
    return encode(msgspec.structs.replace(APP.hello(NONCE), **changes))
