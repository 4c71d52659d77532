"""Checks of one owner's keys, which that owner must be the one to answer."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from bench.contenders.contender import Contender, charge_all, python_contender
from bench.plan import KEYS, LIMIT, key_names
from sidegate import Source
from sidegate_ring.hashring import Ring

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from sidegate import Client, Decision, Limits


def keys_of(owner: str, nodes: Iterable[str]) -> Sequence[str]:
    """Return as many keys as other contenders have, all of one node on the ring of these."""
    ring = Ring(nodes)
    owned = (key for key in key_names(4 * KEYS) if ring.owner(key) == owner)
    return list(islice(owned, KEYS))


async def owned_by(
    owner: str,
    client: Client,
    keys: Sequence[str],
    name: str,
    note: str,
    limit: str | Limits = LIMIT,
) -> Contender:
    """Return a contender that asks about keys of one owner; any other answer makes it void."""

    def ask(key: str) -> Awaitable[Decision]:
        return client.check(key, limit)

    def allowed(decision: Decision) -> bool:
        its_own = decision.source is Source.OWNER and decision.node == owner
        return decision.allowed and its_own

    await charge_all(ask, keys)
    return python_contender(name, note, ask, allowed, keys)
