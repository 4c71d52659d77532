"""Checks of some keys in sidecars that are apart, and what became of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from sidegate.buckets.decision import Decision
from sidegate.client.client import Client
from sidegate_ring.hashring import Ring
from tests.cluster.networks.namespaces import Apart, apart
from tests.support.in_process.cluster import clients, sources

BUDGET: Final = 1.0  # seconds: two fifths of it for the owner, twice what TCP takes to send again
LIMIT: Final = 50
LIMITS: Final = f"{LIMIT}/day"
KEYS: Final = [f"key{at}" for at in range(30)]
RING: Final = Ring(["n1", "n2", "n3"])
HEALED_WITHIN: Final = 10.0  # seconds
BY_NODES: Final = {"owner", "backup"}  # sources that count what they admit


class Spent:
    """What became of checks of some keys."""

    def __init__(self, keys: Sequence[str] = KEYS) -> None:
        self.keys = keys
        self.decisions: list[Decision] = []
        self.charged: Counter[str] = Counter()  # tokens that a node admitted and counts, by key
        self.by_share: Counter[str] = Counter()  # those that it admitted without knowing the rest

    @property
    def sources(self) -> Counter[str]:
        """Who decided how often."""
        return sources(self.decisions)

    @property
    def most(self) -> int:
        """What the key had of which most was admitted."""
        return max(self.charged.values())

    async def ask(self, *asking: Client, times: int = 1) -> "Spent":
        """Ask at each client for a token of each key, so many times; all are answered in time.

        In time: a decision with the name of a node came from a sidecar, and when the budget is
        over the client decides itself.
        """
        pairs = [(key, who) for key in self.keys for who in asking]
        for _ in range(times):
            decisions = await asyncio.gather(*(who.check(key, LIMITS) for key, who in pairs))
            late = [decision for decision in decisions if not decision.node]
            assert not late
            self.decisions += decisions
            for (key, _), decision in zip(pairs, decisions, strict=True):
                self.charged[key] += decision.allowed and decision.source in BY_NODES
                self.by_share[key] += decision.allowed and decision.source == "local"
        return self


def total(*spent: Spent) -> Counter[str]:
    """Return what was admitted altogether, by key."""
    return sum((it.charged for it in spent), Counter[str]())


@asynccontextmanager
async def trio(
    budget: float = BUDGET, patience: float = 0.0, **policies: str
) -> AsyncGenerator[tuple[Apart, list[Client]]]:
    """Run n1, n2 and n3 apart, and a client of each, who may wait longer than they do."""
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(apart(3, budget=budget, **policies))
        sockets = [node.socket for node in net.nodes]
        waits = max(patience, budget)
        yield net, await stack.enter_async_context(clients(*sockets, budget=waits))


async def heal(net: Apart, asking: Sequence[Client], keys: Sequence[str] = KEYS) -> None:
    """Heal the network; the nodes are one ring soon, and keys that were spent have nothing left."""
    net.wire.heal()
    await net.until_rings(net.nodes, within=HEALED_WITHIN)
    await net.until(net.are_backed_up, HEALED_WITHIN)
    after = await Spent(keys).ask(*asking)
    assert after.sources.keys() == {"owner"}
    assert after.most == 0


async def are_spent(keys: Sequence[str], asking: Sequence[Client]) -> bool:
    """Do these keys have nothing left, whoever is asked?"""
    looks = [who.check(key, LIMITS, 0) for key in keys for who in asking]
    return not any(decision.remaining for decision in await asyncio.gather(*looks))
