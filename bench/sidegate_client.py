"""Our client, to a sidecar that owns the key and to one that must ask the owner."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from bench.contender import Contender, charge_all, python_contender
from bench.plan import KEYS, LIMIT, key_names
from bench.processes import PATIENCE
from bench.results import VoidError
from bench.sidecars import BUDGET, Sidecar, loopback, sidecar
from sidegate import Client, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable
    from pathlib import Path

    from sidegate import Decision

ONE_HOP: Final = "sidegate, owner"
TWO_HOPS: Final = "sidegate, forwarded"

_NOTE: Final = "sidegate.Client on uvloop, unix socket to one of two sidecars, "


@asynccontextmanager
async def sidegate_clients(folder: Path) -> AsyncGenerator[list[Contender]]:
    """Offer both as contenders for as long as the block: the same link, but other keys."""
    first, second = loopback(), loopback()
    async with (
        sidecar(folder, "near", link=first, seed=second) as near,
        sidecar(folder, "far", link=second, seed=first) as far,
        Client(near.address, budget=BUDGET) as client,
    ):
        await _until_met(client)
        yield [
            await _contender(client, near, ONE_HOP, f"{_NOTE}all keys its own"),
            await _contender(client, far, TWO_HOPS, f"{_NOTE}all keys the other's (TCP between)"),
        ]


async def _contender(client: Client, owner: Sidecar, name: str, note: str) -> Contender:
    keys = await _owned(client, owner)

    def ask(key: str) -> Awaitable[Decision]:
        return client.check(key, LIMIT)

    await charge_all(ask, keys)
    return python_contender(name, note, ask, _allowed, keys)


def _allowed(decision: Decision) -> bool:
    return decision.allowed and decision.source is Source.OWNER


async def _owned(client: Client, owner: Sidecar) -> list[str]:
    """Return as many keys as every contender has, all of this owner, found by peeking."""
    candidates = list(key_names(4 * KEYS))
    owned: list[str] = []
    for start in range(0, len(candidates), 1_000):
        batch = candidates[start : start + 1_000]
        decisions = await asyncio.gather(*(client.check(key, LIMIT, 0) for key in batch))
        answered = zip(batch, decisions, strict=True)
        owned += [key for key, decision in answered if decision.node == owner.name]
    return owned[:KEYS]


async def _until_met(client: Client) -> None:
    deadline = time.monotonic() + PATIENCE
    while client.nodes < 2:
        if time.monotonic() > deadline:
            raise VoidError("the two sidecars did not meet")
        await asyncio.sleep(0.02)
        await client.check("hello", LIMIT, 0)  # the first one dials
