"""Which node of gubernator owns a key, as it says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc.aio

from bench.peers.asking.messages import GUBERNATOR, GubernatorCheck

if TYPE_CHECKING:
    from bench.peers.asking.messages import Rate
    from bench.peers.servers import Served

_BATCH: Final = 500


async def gubernator_owners(node: Served, rate: Rate, keys: list[str]) -> list[str]:
    """Return the address of the owner of each key, without a hit on any."""
    checks = GubernatorCheck(rate, hits=0)
    owners: list[str] = []
    async with grpc.aio.insecure_channel(node.address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(GUBERNATOR)
        for start in range(0, len(keys), _BATCH):
            owners += checks.owners(await call(checks.request(keys[start : start + _BATCH])))
    return [owner or node.address for owner in owners]
