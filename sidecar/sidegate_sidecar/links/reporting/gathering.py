"""Gathering: one report of what all nodes have decided, which are asked at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.protocol.report_messages import EventQuery, ReportAnswer, ReportPart, ReportQuery
from sidegate_ring.membership.membership import Life
from sidegate_sidecar.links.reporting.slices import SlicedWork, in_slices
from sidegate_sidecar.reports.merging import merge
from sidegate_sidecar.reports.part import make_part
from sidegate_sidecar.reports.series import NO_SUMS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias

    from sidegate_sidecar.links.peers import Peers
    from sidegate_sidecar.node.node import Node
    from sidegate_sidecar.reports.counting import Counting

    Shown: TypeAlias = Callable[[str], str]

WITHIN: Final = 0.25  # seconds: who hasn't answered by then is missing
PART_SHARE: Final = 0.8  # of that for a part: the rest is for it to come
KEEPERS_SHARE: Final = 1.5  # of that for a whole report of another node
MAX_GATHERED: Final = 8  # reports at a time, whoever asks: each is a question to all nodes
MAX_WAITING: Final = 64  # parts that are asked for at a time, one of which is being made


class Gathering:
    """Asks all nodes for their parts of a report. Keys are given out as `shown` shows them."""

    def __init__(self, node: Node, peers: Peers, shown: Shown) -> None:
        self._node = node
        self._peers = peers
        self._shown = shown
        self._gate = asyncio.Lock()  # one part at a time
        self._merging = SlicedWork()
        self._gathered = asyncio.Semaphore(MAX_GATHERED)
        self._waiting = 0

    async def report(self, query: ReportQuery) -> ReportAnswer:
        """Return what all nodes have decided, as far as they answer in time."""
        async with self._gathered:
            return await self._report_of_keeper(query) or await self._report(query)

    async def _report_of_keeper(self, query: ReportQuery) -> ReportAnswer | None:
        """Return what the owner says that looks after this leaf, which doesn't know the others."""
        link = self._peers.link_to(self._node.cluster.membership.keeper)
        if link is None:
            return None
        within = WITHIN * KEEPERS_SHARE
        answer = await link.inquire(lambda number: replace(query, id=number, hops=0), within)
        return replace(answer, id=query.id) if isinstance(answer, ReportAnswer) else None

    async def _report(self, query: ReportQuery) -> ReportAnswer:
        cluster = self._node.cluster
        names = {it.name for it in cluster.membership.living()} | set(cluster.ring.nodes)
        others = sorted(names - {self._node.name})
        here, *there = await asyncio.gather(
            self.part(query), *(self._ask(it, query) for it in others)
        )
        parts = [part for part in (here, *there) if part is not None and part.node]
        missing = {self._node.name, *others, *self._dead()} - {part.node for part in parts}
        answer = await self._merging.done(merge(query, parts, missing, self._now()))
        if query.by != "key":
            return answer
        rows = [(self._shown(key), node, sums) for key, node, sums in answer.rows]
        return replace(answer, rows=rows)

    def _now(self) -> int:
        counting = self._node.counting
        return self._node.clock() if counting is None else counting.clock()

    def _dead(self) -> set[str]:
        """Return the nodes that died and aren't forgotten yet: what they had counted is lost."""
        members = self._node.cluster.membership.members.values()
        return {member.name for member in members if member.state is Life.DEAD}

    async def part(self, query: ReportQuery) -> ReportPart | None:
        """Return this node's own part, None if it can't be made in time.

        Without a name, if nothing is counted here.
        """
        counting = self._node.counting
        if counting is None:
            return ReportPart(query.id, "", 0, list(NO_SUMS), [])
        if self._waiting >= MAX_WAITING:
            return None
        self._waiting += 1
        loop = asyncio.get_running_loop()
        until = loop.time() + WITHIN * PART_SHARE
        try:
            async with self._gate:
                left = until - loop.time()
                steps = _steps(counting, query, self._node.name)
                return await in_slices(steps, left) if left > 0 else None
        finally:
            self._waiting -= 1

    async def _ask(self, name: str, query: ReportQuery) -> ReportPart | None:
        link = self._peers.link_to(name)
        if link is None:
            return None
        answer = await link.inquire(lambda number: replace(query, id=number, hops=1), WITHIN)
        is_its = isinstance(answer, ReportPart) and answer.node in {name, ""}
        return answer if isinstance(answer, ReportPart) and is_its else None


def _steps(counting: Counting, query: ReportQuery, name: str) -> Generator[None, None, ReportPart]:
    """Fold what was counted up to now, then make the part."""
    if isinstance(query, EventQuery):
        return (yield from make_part(counting.events, query, name, counting.clock()))
    yield from counting.settle()
    return (yield from make_part(counting.activity, query, name, counting.clock()))
