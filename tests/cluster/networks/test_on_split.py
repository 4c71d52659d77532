"""A split where one side decides nothing, or each a part: real sidecars, and nothing refused."""

import asyncio
from typing import Any

import pytest

from sidegate.client.client import Client
from tests.cluster.networks.namespaces import Apart
from tests.cluster.networks.spent import (
    BY_NODES,
    HEALED_WITHIN,
    LIMIT,
    Spent,
    total,
    trio,
)
from tests.support.processes.services import PATIENCE


async def until_shares(net: Apart, *shares: float) -> None:
    """Wait until the nodes serve these shares of each limit."""

    async def are_so() -> bool:
        return [view["split"]["share"] for view in await net.views()] == list(shares)

    await net.until(are_so)


async def sides(asking: list[Client]) -> tuple[Spent, Spent]:
    """Spend what there is on both sides of a split: of n1 and n2, and of n3."""
    many, few = Spent(), Spent()
    await asyncio.gather(
        many.ask(*asking[:2], times=LIMIT // 2 + 5), few.ask(asking[2], times=LIMIT // 2 + 5)
    )
    return many, few


async def test_the_smaller_side_of_a_quorum_refuses_and_the_larger_goes_on() -> None:
    """Also where the key is one of which the smaller side has the owner or the backup."""
    running = trio(patience=PATIENCE, on_split="quorum", on_unreachable="closed")
    async with running as (net, asking):
        await until_agreed(net)
        net.wire.split([2])
        await until_shares(net, 1, 1, 0)
        await net.until_rings(net.nodes[:2])
        many, few = await sides(asking)
        assert few.sources.keys() == {"closed"}
        assert not few.charged.total()
        assert many.sources.keys() <= BY_NODES
        assert set(many.charged.values()) == {LIMIT}
        view = (await net.views())[2]
        assert view["split"] == {
            "on_split": "quorum",
            "share": 0.0,
            "counted": 3,
            "lost": ["n1", "n2"],
        }
        net.wire.heal()
        await until_shares(net, 1, 1, 1)
        await net.until_rings(net.nodes, within=HEALED_WITHIN)
        await net.until(net.are_backed_up, HEALED_WITHIN)
        assert (await Spent().ask(*asking)).most == 0


async def until_agreed(net: Apart) -> None:
    """Wait until all nodes count by all three."""

    async def is_whole() -> bool:
        return all(view["split"]["counted"] == 3 for view in await net.views())

    await net.until(is_whole)


async def test_sides_that_hold_down_admit_one_limit_together() -> None:
    async with trio(patience=PATIENCE, on_split="hold-down") as (net, asking):
        await until_agreed(net)
        net.wire.split([2])
        await until_shares(net, round(2 / 3, 4), round(2 / 3, 4), round(1 / 3, 4))
        many, few = await sides(asking)
        admitted: Any = total(many, few)
        assert max(admitted.values()) <= LIMIT
        assert max(few.charged.values()) == pytest.approx(LIMIT / 3, abs=1)
