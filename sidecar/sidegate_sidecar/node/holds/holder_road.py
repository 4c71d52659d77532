"""A holder's road: a question about one key gets to the node that may decide it. No clock.

As a check does: to the owner, at once to the backup where that one can't be asked, and on time if
it doesn't answer. But it is a question of its own, answered by one message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate.protocol.holds.reservation_messages import Reserve
from sidegate.protocol.messages import MAX_HOPS, NOBODY
from sidegate_sidecar.node.failover import NextStep, Way, next_step
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.local import ANSWERS_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.protocol.holds.reservation_messages import Commit, Reserved
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.counts import Counts
    from sidegate_sidecar.node.failover import Links

    Question: TypeAlias = Callable[[int, int], Reserve | Commit]  # by id and hops
    Here: TypeAlias = Callable[[Source, int], Reserved]  # decides as that, at that time


class HolderRoad:
    """The questions of one node about keys. `clock` is in ns, `budget` in seconds."""

    def __init__(
        self,
        cluster: Cluster,
        links: Links,
        counts: Counts,
        clock: Callable[[], int],
        budget: float,
    ) -> None:
        self._cluster = cluster
        self._links = links
        self._counts = counts
        self.clock = clock
        self._budget = budget * ANSWERS_SHARE

    async def ask(self, key: str, hops: int, question: Question, here: Here) -> Reserved | None:
        """Return the answer of who holds a key, which may be this node; None if nobody answers."""
        deadline = self.clock() + int(self._budget * 1e9)
        tried: list[str] = []
        declined: list[str] = []
        while True:
            now = self.clock()
            if now > self._cluster.late_at:
                self._cluster.notice(now)
            left = (deadline - now) * 1e-9
            way = Way(hops if left > 0 else MAX_HOPS, tried, declined)
            step = next_step(self._cluster, self._links, key, way, now)
            match step.step:
                case NextStep.OWN:
                    return here(Source.OWNER, now)
                case NextStep.STAND_IN:
                    return here(Source.BACKUP, now)
                case NextStep.GIVE_UP:
                    return None
                case NextStep.ASK:
                    pass
            tried.append(step.name)
            link = self._links.link_to(step.name)
            if link is None or link.lacks(Reserve):  # an older release, which is no reason to doubt
                continue
            found = await link.hold(lambda number: question(number, hops + 1), left * OWNERS_SHARE)
            if found is not None and found.source != NOBODY:
                return found
            self._counts.count_unanswered(step.name, 1)
            if found is not None:
                declined.append(step.name)
            else:
                self._cluster.doubt(step.name, self.clock())
