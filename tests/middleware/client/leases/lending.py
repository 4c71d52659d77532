"""A puppet that lends to a client: how a test has it borrow, and how much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sidegate.protocol.holds.lease_messages import MAX_LEASE, Borrow, Lent
from tests.middleware.client.puppet_client import say
from tests.support.in_process.cluster import eventually

if TYPE_CHECKING:
    from sidegate.client.client import Client
    from tests.support.in_process.puppets import Puppet

LIMITS = "1000/second"
TURN = 10
WHOLE = [0]
EMPTY = [10**9]


async def turn(asking: Client, other: Puppet, **options: Any) -> None:
    """Make the checks of one turn, which the owner allows."""
    futures = [asking.check("k", options.get("limits", LIMITS)) for _ in range(TURN)]
    await say(other, *[[1, 0] for _ in futures])
    await asyncio.gather(*futures)


async def hot(asking: Client, other: Puppet, **options: Any) -> None:
    """Ask until it is hot."""
    while not asking._here().leases.table:
        await turn(asking, other, **options)


async def lend(
    other: Puppet, tokens: int, number: int = 1, *, pause: int = 0, debts: list[int] = WHOLE
) -> Borrow:
    """Answer the next wish."""
    asked = await other.hear(Borrow)
    await other.say(Lent(asked.id, "owner", "n7", tokens, MAX_LEASE, number, pause, debts))
    return asked


async def borrowed(asking: Client, tokens: int) -> None:
    """Wait until so many are here."""
    leases = asking._here().leases
    await eventually(lambda: any(it.tokens == tokens for it in leases.table.values()))


async def busy(asking: Client, other: Puppet, tokens: int) -> None:
    """Ask until it is hot, and so many are lent."""
    await hot(asking, other)
    await lend(other, tokens)
    await borrowed(asking, tokens)
