"""Two nodes of one name: the second isn't ready, and who has lost its name decides no more."""

import asyncio
from contextlib import AbstractAsyncContextManager
from signal import SIGCONT, SIGSTOP
from typing import Final

import httpx2

from tests.support.in_process.cluster import client, eventually_answered, sources
from tests.support.processes.beside import process
from tests.support.processes.fleet import Fleet, fleet
from tests.support.processes.services import PATIENCE, Sidecar

LIMIT: Final = "10/hour"
KEYS: Final = [f"k{at}" for at in range(30)]


def another(cluster: Fleet, name: str) -> AbstractAsyncContextManager[Sidecar]:
    """Start another node of a name, which knows all others; it may not get ready."""
    others = [it for it in cluster.nodes.values() if it.name != name]
    return process(name, *others, is_ready=False)


def is_refused(node: Sidecar) -> bool:
    """Tell if it says that nobody accepts it."""
    try:
        answer = node.ask("GET", "/readyz")
    except httpx2.TransportError:
        return False
    return answer.status_code == 503 and "refuses this one" in answer.text


async def who_answers(node: Sidecar) -> set[str]:
    """Return who answers apps of a node, asked about all keys."""
    async with client(str(node.link)) as app:
        return {*sources([await app.check(key, LIMIT) for key in KEYS])}


async def refused(node: Sidecar) -> None:
    """Wait until a node says that nobody accepts it."""
    await eventually_answered(lambda: asyncio.to_thread(is_refused, node), bool, PATIENCE)


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
            await asyncio.to_thread(new.wait)
            frozen.send(SIGCONT)
            await refused(frozen)
            assert await who_answers(frozen) == {"open"}
            assert await who_answers(cluster.nodes["n1"]) == {"owner"}
            assert "not on the ring, deciding nothing" in frozen.log
            assert new.is_ready()
