"""Networks that are split or bad: each side goes on, within its bound, and all is well after it.

What is lost is lost silently here: no connection is refused or reset.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from sidegate_ring.hashring import Ring
from tests.cluster.apps.running import PATIENCE
from tests.cluster.cluster import clients, sources
from tests.cluster.namespaces import apart

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from sidegate.client import Client
    from sidegate.decision import Decision
    from tests.cluster.namespaces import Apart

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

    @property
    def sources(self) -> Counter[str]:
        """Who decided how often."""
        return sources(self.decisions)

    @property
    def most(self) -> int:
        """What the key had of which most was admitted."""
        return max(self.charged.values())

    async def ask(self, *asking: Client, times: int = 1) -> Spent:
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
        return self


def total(*spent: Spent) -> Counter[str]:
    """Return what was admitted altogether, by key."""
    return sum((it.charged for it in spent), Counter[str]())


@asynccontextmanager
async def trio(budget: float = BUDGET) -> AsyncGenerator[tuple[Apart, list[Client]]]:
    """Run n1, n2 and n3 apart, and a client of each."""
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(apart(3, budget=budget))
        sockets = [node.socket for node in net.nodes]
        yield net, await stack.enter_async_context(clients(*sockets, budget=budget))


async def heal(net: Apart, asking: Sequence[Client]) -> None:
    """Heal the network; the nodes are one ring soon, and keys that were spent have nothing left."""
    net.wire.heal()
    await net.until_rings(net.nodes, within=HEALED_WITHIN)
    await net.until(net.are_backed_up, HEALED_WITHIN)
    after = await Spent().ask(*asking)
    assert after.sources.keys() == {"owner"}
    assert after.most == 0


async def are_spent(keys: Sequence[str], asking: Sequence[Client]) -> bool:
    """Do these keys have nothing left, whoever is asked?"""
    looks = [who.check(key, LIMITS, 0) for key in keys for who in asking]
    return not any(decision.remaining for decision in await asyncio.gather(*looks))


async def test_each_side_of_a_split_admits_at_most_one_limit() -> None:
    """Two nodes against one: both sides go on, and nothing is left when they meet again.

    The two have the owner of each key or its backup, so they know what was spent before it; the
    one knows of two keys out of three.
    """
    async with trio() as (net, asking):
        many, few = Spent(), Spent()
        before = await Spent().ask(*asking, times=3)
        await net.until(net.are_backed_up)
        net.wire.split([2])
        await asyncio.gather(many.ask(*asking[:2], times=15), few.ask(asking[2], times=30))
        await net.until_rings(net.nodes[:2], net.nodes[2:])
        await asyncio.gather(many.ask(*asking[:2], times=15), few.ask(asking[2], times=30))
        assert many.sources.keys() == few.sources.keys() == BY_NODES
        assert set(total(before, many).values()) == {LIMIT}
        assert few.charged == {key: LIMIT - 9 * ("n3" in RING.pair(key)) for key in KEYS}
        await heal(net, asking)


async def test_what_one_side_of_a_split_spent_is_spent_for_all() -> None:
    """The two sides merge what they hold when they meet again, for whoever owns it then."""
    one, other = ([f"{side}{at}" for at in range(30)] for side in ("few", "many"))
    async with trio() as (net, asking):
        net.wire.split([2])
        await net.until_rings(net.nodes[:2], net.nodes[2:])
        sides = Spent(one), Spent(other)
        await asyncio.gather(
            sides[0].ask(asking[2], times=LIMIT), sides[1].ask(asking[0], times=LIMIT)
        )
        assert total(*sides) == dict.fromkeys([*one, *other], LIMIT)
        net.wire.heal()
        await net.until(lambda: are_spent([*one, *other], asking), HEALED_WITHIN)
        await net.until_rings(net.nodes, within=HEALED_WITHIN)
        assert await are_spent([*one, *other], asking)


async def test_loss_of_one_way_splits_no_ring() -> None:
    """While n2 hears nothing of n1, each check is answered, and the third keeps both alive."""
    async with trio() as (net, asking):
        net.wire.drop((0, 1))
        spent = await Spent().ask(*asking, times=40)
        async with asyncio.timeout(PATIENCE):
            while not await have_lost_each_other(net):  # which they find out when asked
                await spent.ask(*asking)
        await spent.ask(*asking)
        assert spent.sources.keys() == BY_NODES
        assert spent.most <= 2 * LIMIT
        assert {view["ring"] for view in await net.views()} == {RING.digest}
        await heal(net, asking)


async def have_lost_each_other(net: Apart) -> bool:
    """Have n1 and n2 given up their connections to each other?"""
    one, two, _ = await net.views()
    return link_state(one, "n2") == link_state(two, "n1") == "down"


def link_state(view: dict[str, Any], name: str) -> str:
    """Return what a link is good for; "down" for one to a node that is taken for dead."""
    return next((str(node["state"]) for node in view["nodes"] if node["name"] == name), "down")


@pytest.mark.xfail(
    strict=False,
    reason="after the healing a key is now and then given 2 tokens too many, where 0 are promised;"
    " the cause is being looked for",
)
async def test_loss_of_every_tenth_packet_leaves_one_ring() -> None:
    """Each check is answered, and whoever was suspected meanwhile is on the ring after it."""
    async with trio() as (net, asking):
        spent = Spent()
        net.wire.worsen(loss=0.1)
        async with asyncio.timeout(PATIENCE):
            while net.wire.carried().lost < 100:
                await spent.ask(*asking)
        print(net.wire.carried(), spent.sources, spent.most)  # noqa: T201  # for pytest -s
        assert spent.most <= 2 * LIMIT
        await heal(net, asking)


async def test_limits_are_exact_when_every_packet_takes_50_ms() -> None:
    """A ring with slow links is a stable ring: owners decide, all in time."""
    async with trio(budget=0.5) as (net, asking):
        net.wire.worsen(delay=0.05)
        spent = await Spent().ask(*asking, times=20)
        assert spent.sources.keys() == {"owner"}
        assert set(spent.charged.values()) == {LIMIT}
        assert await net.are_rings(net.nodes)
