"""Three sidecars, of which one is a process that may be killed, and clients that keep asking."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sidegate.buckets.decision import Decision
from sidegate.client.client import Client
from sidegate.link.link import Link
from sidegate_ring.hashring import Ring
from sidegate_sidecar.cluster.place.stages import Stage
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import cluster, eventually, key_of, sources
from tests.support.processes.beside import process
from tests.support.processes.services import Sidecar

BUDGET = 1.0  # seconds: enough for an owner that runs, on a busy machine too
RING = Ring(["n1", "n2", "n3"])
DAY = 86_400 * 10**9  # ns


@asynccontextmanager
async def trio(**options: Any) -> AsyncGenerator[tuple[list[Process], Sidecar]]:
    """Run n1 and n2 here, where their state can be seen, and n3, which is to suffer, elsewhere."""
    options = {"budget": BUDGET, **options}
    async with cluster("n1", "n2", **options) as nodes, process("n3", nodes[0]) as third:
        await eventually(lambda: all(is_used(node) for node in nodes))
        yield nodes, third


def is_used(node: Process) -> bool:
    """Tell if this node forwards to n3, and all three see the same ring."""
    cluster = node.cluster
    digests = [member.digest for member in cluster.membership.living()]
    return node.peers.is_up("n3") and cluster.ring == RING and digests == [RING.digest] * 2


def link_to(node: Process, name: str = "n3") -> Link:
    return node.peers.by_name[name].link


def spent_at(node: Process, key: str) -> float:
    """Return how many of the tokens of 50/day a node's bucket lacks."""
    interval = DAY / 50
    return sum(debt for _, debt in node.node.buckets.held(key, node.clock())) / interval


def stood_in(nodes: Sequence[Process]) -> int:
    """Count the checks of apps that a backup decided."""
    counted = [node.node.counts.checks for node in nodes]
    return sum(it["app", "backup", outcome] for it in counted for outcome in ("allowed", "denied"))


def those_who_know(nodes: Sequence[Process], decisions: Sequence[Decision]) -> set[str]:
    """Return who decided: without the shares of nodes here that a busy machine held up.

    Who stands still while the owner is gone may lack what was decided meanwhile, and gives shares
    until it was told (decision 15). From a node that didn't stand still a share is a fault.
    """
    places = [node.cluster.place for node in nodes]
    stood_still = any(
        place.stage is Stage.RETURNING or place.passages[Stage.RETURNING].count for place in places
    )
    return sources(decisions).keys() - ({"local"} if stood_still else set())


class Load:
    """Checks of n3's keys, made all the time until it is ended; counts what was asked."""

    def __init__(self, *asking: Client) -> None:
        self.asked = 0
        self.decisions: list[Decision] = []
        self._asking = asking
        self.is_over = False

    async def run(self, at_once: int = 20) -> None:
        """Ask all the time, `at_once` checks at each client, until ended."""
        keys = [key_of("n3", RING, f"load{at}.") for at in range(5)]
        while not self.is_over:
            futures = [
                who.check(keys[at % 5], "1000000000/day")
                for who in self._asking
                for at in range(at_once)
            ]
            self.asked += len(futures)
            self.decisions += await asyncio.gather(*futures)

    def seen(self, source: str) -> bool:
        """Has every client a late decision from this source?"""
        late = self.decisions[-20 * len(self._asking) :]
        return sources(late) == {source: len(late)} and len(self.decisions) > 100


@asynccontextmanager
async def load(*asking: Client) -> AsyncGenerator[Load]:
    """Ask all the time; in the end each check has had one answer."""
    asking_all = Load(*asking)
    async with asyncio.TaskGroup() as group:
        group.create_task(asking_all.run())
        yield asking_all
        asking_all.is_over = True
    assert len(asking_all.decisions) == asking_all.asked


def by_n3(decision: Decision) -> bool:
    return (decision.source, decision.node) == ("owner", "n3")
