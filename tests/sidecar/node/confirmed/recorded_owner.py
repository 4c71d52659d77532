"""An owner whose words to others are kept in their order, answers and messages alike."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

from sidegate.buckets.buckets import BucketTable
from sidegate.client.unreachable.fallback import Fallback
from sidegate.protocol.messages import (
    Answers,
    Buckets,
    Checks,
    Confirmed,
    Merged,
    Pulled,
)
from sidegate_ring.hashring import Ring
from sidegate_sidecar.cluster.cluster import Cluster
from sidegate_sidecar.node.node import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.protocol.messages import Check, Message, NodeMessage
    from sidegate_ring.membership.membership import Member

START = 10**15
MS = 10**6  # ns
BUDGET = 0.05  # seconds


class RecordedOwner:
    """The node "a" of a ring, all of whose others can be reached, but for those that are `away`."""

    def __init__(self, *others: str, policy: str = "open") -> None:
        self.now = START
        self.said: list[tuple[str, Any]] = []  # to whom, "" for who asks
        self.words: list[NodeMessage] = []  # that nothing is left for somebody
        self.away: set[str] = set()
        table = BucketTable()
        ring = Ring(["a", *others])
        self.cluster = Cluster(
            *("a", "a:1", table, self), incarnation=1, randrange=Random(1).randrange, now=self.now
        )
        self.cluster.ring = self.cluster.route = ring
        self.cluster.sync.ring_changed(ring)
        self.node = Node(
            *("a", table, self.cluster, self, Fallback(policy, table)),
            budget=BUDGET,
            clock=lambda: self.now,
        )

    def key(self, backup: str = "b") -> str:
        """Return a key of ours that has this backup."""
        keys = (f"key{at}" for at in range(10_000))
        return next(key for key in keys if self.cluster.ring.pair(key) == ("a", backup))

    def keys(self, count: int) -> list[str]:
        """Return some keys of ours."""
        keys = (f"one{at}" for at in range(10 * count))
        return list(islice((key for key in keys if self.cluster.ring.owner(key) == "a"), count))

    def ask(self, *asked: Check, hops: int = 0, serial: int = 0, number: int = 1) -> None:
        """Ask these checks in one frame."""
        frame = Checks(number, hops, int(BUDGET * 1e6), list(asked), serial)
        self.node.decide(frame, lambda answers: self.said.append(("", answers)))

    def tick(self, ms: float = 0) -> None:
        """Let time pass, and do what is due then."""
        self.now += int(ms * MS)
        self.cluster.late_at = self.now + 10**9
        for to, message in self.cluster.sync.tick(self.now):
            self.post(to, message)

    def merged(self, to: str = "b") -> None:
        """Have a node say that it has merged all that it was sent."""
        for message in self.sent(to):
            self.cluster.step(to, Merged(message.id), self.now)

    @property
    def answers(self) -> list[Answers]:
        """The answers to who has asked."""
        return [message for to, message in self.said if not to]

    @property
    def order(self) -> str:
        """Who was told something, one letter each, and "?" for who has asked."""
        return "".join(to or "?" for to, _ in self.said)

    def sent(self, to: str = "b") -> Sequence[Buckets]:
        """Return the buckets that a node was sent."""
        return [it for name, it in self.said if name == to and isinstance(it, Buckets)]

    # --- the transport, and the links

    def post(self, name: str, message: NodeMessage, /) -> None:
        """Keep it."""
        if isinstance(message, Buckets):
            self.said.append((name, message))
        elif isinstance(message, Pulled | Confirmed):
            self.words.append(message)

    def is_up(self, name: str, /) -> bool:
        """Tell what the test says."""
        return name not in self.away

    def lacks(self, _name: str, _kind: type[Message], /) -> str:
        """All are of this release."""
        return ""

    def members_changed(self, changed: list[Member], /) -> None:
        """Nobody comes or goes."""
        raise AssertionError(changed)

    def link_to(self, name: str, /) -> None:
        """All checks are our own."""
        raise AssertionError(name)
