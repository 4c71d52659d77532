"""Nodes and apps that decide alone: no more than the limit, by their own policy, at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from signal import SIGKILL
from typing import Any

import pytest

from sidegate.link.health import LinkState
from sidegate_sidecar.config import Role
from sidegate_sidecar.process import Process
from tests.cluster.outages.trio import load
from tests.support.in_process.cluster import (
    admitted,
    client,
    clients,
    cluster,
    config,
    eventually,
    eventually_answered,
    link_of,
    sources,
)
from tests.support.processes.beside import process

# --- decided alone


@asynccontextmanager
async def leaves(*names: str) -> AsyncGenerator[list[Process]]:
    """Run leaves whose only owner has gone, and that go by `local`.

    They have nothing to do with each other: how many may decide it was that told them, itself too.
    """
    options: dict[str, Any] = {"role": Role.LEAF, "on_unreachable": "local"}
    async with cluster("owner") as (owner,), AsyncExitStack() as stack:
        nodes = [Process(config(name, seeds=(owner.link,), **options)) for name in names]
        for node in nodes:
            await stack.enter_async_context(node)
        parts = len(names) + 1
        await eventually(lambda: all(it.cluster.parts == parts for it in nodes))
        await owner.stop()
        await eventually(lambda: not any(node.cluster.ring.nodes for node in nodes))
        yield nodes


async def test_nodes_that_decide_alone_admit_no_more_than_the_limit() -> None:
    """With `local` each node admits its share where nobody owns a key, together not more."""
    async with leaves("n1", "n2", "n3", "n4") as nodes, clients(*nodes) as asking:
        by_node = [
            await asyncio.gather(*(who.check("k", "100/day") for _ in range(60))) for who in asking
        ]
    assert [admitted(decisions) for decisions in by_node] == [20] * 4
    assert [sources(decisions) for decisions in by_node] == [{"local": 60}] * 4
    assert {str(it.limits) for decisions in by_node for it in decisions} == {"20/day"}


async def test_a_cost_above_the_share_of_a_node_is_charged_as_the_whole_share() -> None:
    """Alone, a node admits a check that no share could pay, once, and then no more."""
    async with leaves("n1", "n2") as (node, _), client(node) as asking:
        decisions = [await asking.check("k", "10/day", 8) for _ in range(3)]
    assert [it.allowed for it in decisions] == [True, False, False]
    assert {it.cost for it in decisions} == {3}


# --- the local sidecar is gone


@pytest.mark.parametrize("policy", ["open", "closed", "local"])
async def test_an_app_without_its_sidecar_goes_by_its_own_policy(policy: str) -> None:
    """A killed sidecar is answered for at once; when it is back the app is limited again."""
    async with process("n3") as sidecar, client(str(sidecar.link), on_unreachable=policy) as asking:
        limited = await asyncio.gather(*(asking.check("k", "10/day") for _ in range(20)))
        assert (sources(limited), admitted(limited)) == ({"owner": 20}, 10)
        sidecar.send(SIGKILL)
        link = link_of(asking)
        await eventually(lambda: link.state is LinkState.DOWN)
        futures = [asking.check("k", "10/day") for _ in range(20)]
        await asyncio.sleep(0)
        assert all(future.done() for future in futures)
        alone = await asyncio.gather(*futures)
        assert sources(alone) == {policy: 20}
        assert admitted(alone) == {"open": 20, "closed": 0, "local": 10}[policy]
        await asyncio.to_thread(sidecar.restart)
        await eventually_answered(
            lambda: asking.check("other", "10/day", 0), lambda it: it.source == "owner"
        )
        again = await asyncio.gather(*(asking.check("k", "10/day") for _ in range(20)))
        assert (sources(again), admitted(again)) == ({"owner": 20}, 10)


async def test_checks_on_their_way_when_the_sidecar_is_killed_are_answered() -> None:
    """Under load, no check of an app is lost with its sidecar."""
    async with process("n3") as sidecar, client(str(sidecar.link)) as asking:
        async with load(asking) as under:
            await eventually(lambda: under.seen("owner"))
            sidecar.send(SIGKILL)
            await eventually(lambda: under.seen("open"))
            await asyncio.to_thread(sidecar.restart)
            await eventually(lambda: under.seen("owner"))
        assert sources(under.decisions).keys() == {"owner", "open"}
