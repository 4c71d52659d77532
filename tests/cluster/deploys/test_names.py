"""Two nodes of one name: the second isn't ready, and who has lost its name decides no more."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING, Final

import httpx2

from tests.support.in_process.cluster import (
    GENEROUS,
    client,
    eventually,
    eventually_answered,
    sources,
)
from tests.support.processes import services
from tests.support.processes.fleet import Fleet, Node, fleet

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LIMIT: Final = "10/hour"
KEYS: Final = [f"k{at}" for at in range(30)]


@asynccontextmanager
async def another(cluster: Fleet, name: str) -> AsyncGenerator[Node]:
    """Start another node of a name, which knows all others; it may not get ready."""
    node = Node(name, GENEROUS, ())
    node.seeds = [it for it in cluster.nodes.values() if it.name != name]
    try:
        node.launch()
        yield node
    finally:
        if node.child:
            node.kill()
        node.close()


def is_refused(node: Node) -> bool:
    """Tell if it says that nobody accepts it."""
    try:
        answer = node._ask("GET", "/readyz")
    except httpx2.TransportError:
        return False
    return answer.status_code == 503 and "refuses this one" in answer.text


async def who_answers(node: Node) -> set[str]:
    """Return who answers apps of a node, asked about all keys."""
    async with client(str(node.link)) as app:
        return {*sources([await app.check(key, LIMIT) for key in KEYS])}


async def refused(node: Node) -> None:
    """Wait until a node says that nobody accepts it."""
    await eventually_answered(lambda: asyncio.to_thread(is_refused, node), bool, services.PATIENCE)


async def test_a_second_node_of_a_name_is_not_ready() -> None:
    """The first goes on as if nothing had been; the second's app is answered by the policy."""
    async with fleet("n1", "n2") as cluster, another(cluster, "n2") as second:
        await refused(second)
        assert await who_answers(second) == {"open"}
        await cluster.whole()
        assert await who_answers(cluster.nodes["n2"]) == {"owner"}
        assert "give each its own --name" in second.log


async def test_a_node_that_stood_still_while_it_was_replaced_decides_no_more() -> None:
    """It wakes, hears from all others that its name is taken, and is off the ring."""
    async with fleet("n1", "n2", "n3") as cluster:
        frozen = cluster.nodes["n2"]
        frozen.send(SIGSTOP)
        async with another(cluster, "n2") as new:
            await eventually(new._is_ready, services.PATIENCE)
            frozen.send(SIGCONT)
            await refused(frozen)
            assert await who_answers(frozen) == {"open"}
            assert await who_answers(cluster.nodes["n1"]) == {"owner"}
            assert "not on the ring, deciding nothing" in frozen.log
            assert new._is_ready()
