"""Failover: who answers a check whose owner didn't. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from sidegate.protocol.messages import MAX_HOPS

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Protocol

    from sidegate.link.in_flight import Asker
    from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
    from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
    from sidegate.protocol.messages import Check, Holdings, Ids, Message, Refund, Trace
    from sidegate_sidecar.cluster.cluster import Cluster

    class NodeLink(Protocol):
        """What a node needs of a link to another one."""

        @property
        def takes_checks(self) -> bool:
            """Would `ask` take a check now?"""
            ...

        def ask(
            self,
            checks: list[Check],
            hops: int,
            budget: float,
            asker: Asker,
            ids: Ids,
            traces: list[Trace] | None,
        ) -> bool:
            """Send checks, whose answers the asker gets within `budget` seconds, if they come."""
            ...

        async def inspect(
            self, key: str, *, reset: bool, hops: int, budget: float
        ) -> Holdings | None:
            """Return the buckets of a key there, None if there is no answer."""
            ...

        async def hold(
            self, question: Callable[[int], Reserve | Commit], budget: float
        ) -> Reserved | None:
            """Return what has become of a reservation there, None if there is no answer."""
            ...

        async def borrow(self, question: Callable[[int], Borrow], budget: float) -> Lent | None:
            """Return what is lent there, None if there is no answer."""
            ...

        def lacks(self, kind: type[Message]) -> str:
            """Return why it isn't told messages of that kind, for people; "" if it is."""
            ...

        def tell(self, message: Refund | Returned) -> bool:
            """Say it now, once, or return False."""
            ...

    class Links(Protocol):
        """The links to the other nodes."""

        def link_to(self, name: str, /) -> NodeLink | None:
            """Return the link to a node, None if there is none."""
            ...


class NextStep(Enum):
    """What is done about a check next."""

    ASK = "ask"  # another node is asked
    OWN = "own"  # this node decides after all: it is the owner
    STAND_IN = "stand in"  # this node decides in place of the owner, by its copy
    GIVE_UP = "give up"  # this node neither knows nor can ask


class Next(NamedTuple):
    """The next step, and the node that is asked if one is."""

    step: NextStep
    name: str = ""


class Way(NamedTuple):
    """Where a check has been: how often it was forwarded, who was asked, and who asks us."""

    hops: int  # MAX_HOPS if nobody else may be asked
    tried: Container[str]
    declined: Container[str]  # of those tried: who is there, and may not decide


_GIVE_UP = Next(NextStep.GIVE_UP)


def next_step(cluster: Cluster, links: Links, key: str, way: Way, now: int) -> Next:
    """Return who answers a check, after those who were tried.

    The owner or its backup, and nobody else: others hold no copy. Where neither answers us, it is
    asked by way of a third that has just heard of it; so a backup doesn't stand in for an owner
    that is well, and merely can't be heard from here.
    """
    pair = cluster.ring.pair(key)
    decides = cluster.decides(key)
    if decides and pair[0] == cluster.name:
        return Next(NextStep.OWN)
    others = [name for name in pair if name and name != cluster.name]
    for name in others if way.hops < MAX_HOPS else ():
        if name not in way.tried and _takes_checks(links, name):
            return Next(NextStep.ASK, name)
    for name in others if way.hops < MAX_HOPS else ():
        third = cluster.vouchers.way_to(name, now, cluster.transport.is_up)
        if third and name not in way.declined and third not in way.tried:
            return Next(NextStep.ASK, third)
    return Next(NextStep.STAND_IN) if decides else _GIVE_UP


def _takes_checks(links: Links, name: str) -> bool:
    link = links.link_to(name)
    return link is not None and link.takes_checks
