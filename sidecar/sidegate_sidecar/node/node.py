"""A node: is the key mine? Then decide. Else ask its owner. Else its backup. Else the policy.

Pure but for `inspect`, which waits for other nodes; `clock` is in ns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate.protocol.messages import (
    MAX_HOPS,
    MAX_KEY_BYTES,
    NOBODY,
    Answer,
    Answers,
    Checks,
    Holdings,
    require_key,
)
from sidegate_sidecar.cluster.place.stages import Stage
from sidegate_sidecar.node.counts import Counts
from sidegate_sidecar.node.failover import NextStep, Way, next_step
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.forwarding import Forwarding
from sidegate_sidecar.node.holds.holder_road import HolderRoad
from sidegate_sidecar.node.holds.reservations import Reservations
from sidegate_sidecar.node.leases.lease_node import LeaseNode
from sidegate_sidecar.node.local import Local
from sidegate_sidecar.node.refunds import Refunds

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from sidegate.buckets.buckets import BucketTable
    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.protocol.messages import Refund
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.failover import Links
    from sidegate_sidecar.node.forward import Send
    from sidegate_sidecar.node.forwarding import After
    from sidegate_sidecar.node.local import Later, Split
    from sidegate_sidecar.reports.counting import Counting

    class Decide(Protocol):
        """What has the checks of a frame decided, as `Node.decide` does."""

        def __call__(self, frame: Checks, send: Send, by: str = "", /) -> None:
            """Answer a frame, in one part or several."""

    class Pace(Protocol):
        """Who has work that can wait, and that rests while checks come."""

        rests: bool

        def checked(self, now: int) -> None:
            """Called with each frame while it rests; nothing is done before the frame is."""


MAX_HELD = 1_000  # buckets of a key that are told: for people, and to fit into a frame


class Node:
    """Decides checks, or has them decided by the nodes that own their keys.

    `later` calls in the next turn of the loop (without it all is read at once), `after` after some
    seconds (without it no check waits here); `serial` begins where no other life of a node has;
    `counting` counts for reports what is decided here.
    """

    def __init__(
        self,
        name: str,
        buckets: BucketTable,
        cluster: Cluster,
        links: Links,
        fallback: Fallback,
        *,
        budget: float,
        clock: Callable[[], int],
        wake: Callable[[], None] = lambda: None,
        serial: int = 0,
        later: Later | None = None,
        after: After | None = None,
        counting: Counting | None = None,
    ) -> None:
        self.name = name
        self.pace: Pace | None = None  # is told of checks while it rests
        self.buckets = buckets
        self.cluster = cluster
        self.fallback = fallback
        self.budget = budget
        self.clock = clock
        self.asked = 0  # frames
        self.counts = counts = Counts()
        self.counting = counting
        self.local = Local(
            *(buckets, cluster, fallback, counts),
            budget=budget,
            clock=clock,
            wake=wake,
            later=later,
            counting=counting,
        )
        self.forwarding = Forwarding(
            cluster, links, self.local, fallback, counts, clock=clock, after=after, serial=serial
        )
        cluster.on_side = self.local.side_moved
        self._refunds = Refunds(cluster, links, self.local, counts)
        self.links = links
        road = HolderRoad(cluster, links, counts, clock, budget)
        self.reservations = Reservations(
            cluster, self.local, fallback, road, self.forwarding.next_serial
        )
        self.leases = LeaseNode(
            cluster, links, self.local, clock, budget, self.forwarding.next_serial
        )

    def decide(self, frame: Checks, send: Send, by: str = "") -> None:
        """Answer a frame of checks, in as many parts as there are nodes that decide some of it.

        `by` is the name of the node that has forwarded it, if one has.
        """
        self.asked += 1
        now = self.clock()
        if now > self.cluster.late_at:
            self.cluster.notice(now)
        if self.pace is not None and self.pace.rests:
            self.pace.checked(now)
        if frame.hops and self.cluster.stage is Stage.RETURNING:
            self._hand_back(frame, send)  # asked before we stood still, or of who can't decide
            return
        if frame.hops == MAX_HOPS and frame.serial:
            self._note_heard(frame, by)
        mine, elsewhere = self._split(frame)
        if frame.serial and self.local.knows(frame):
            mine, elsewhere = self.local.decide_again(frame, mine, elsewhere, send, now)
        if mine is None or mine:
            self.local.decide(frame, mine, send, now)
        if elsewhere:
            self.forwarding.begin(frame, send, by, elsewhere, now)

    def refund(self, message: Refund) -> None:
        """Give tokens back, here or by their owners; what can't be given back now stays charged."""
        self.asked += 1
        now = self.clock()
        if now > self.cluster.late_at:
            self.cluster.notice(now)
        self._refunds.take(message, now)

    def _split(self, frame: Checks) -> tuple[list[int] | None, Split]:
        """Return the positions of checks whose keys are mine (None: all), and those of others.

        Those of nobody are under "".
        """
        ring, me = self.cluster.route, self.name
        elsewhere: Split = {}
        if len(ring.nodes) == 1 and ring.nodes[0] == me:
            return None, elsewhere
        if ring.surely_owns(me, frame.checks):  # nearly all frames that apps' sidecars decide
            return None, elsewhere
        mine: list[int] = []
        pair = ring.pair
        for position, check in enumerate(frame.checks):
            key = check[0]
            owner = pair(key)[0] if len(key) <= MAX_KEY_BYTES else me  # too long: say so here
            if owner == me:
                mine.append(position)
            elif owner in elsewhere:
                elsewhere[owner].append(position)
            else:
                elsewhere[owner] = [position]
        return mine if elsewhere else None, elsewhere

    def _note_heard(self, frame: Checks, by: str) -> None:
        """Remember what came by way of a third: its asker has given up owner and backup before.

        So what the backup decides of it, to which it comes late, is heard by nobody.
        """
        if by and all(by not in self.cluster.ring.pair(key) for key, _, _ in frame.checks):
            self.cluster.sync.decided.note_heard(frame.serial)

    def _hand_back(self, frame: Checks, send: Send) -> None:
        """Have whoever forwarded a frame ask another node, if it still waits."""
        no_answers: list[Answer] = [[0]] * len(frame.checks)
        send(Answers(frame.id, NOBODY, self.name, None, no_answers))

    # --- for people

    async def inspect(self, key: str, *, reset: bool = False, hops: int = 0) -> Holdings | None:
        """Return the buckets of a key on its owner, or those it forgot; None if it can't be asked.

        While the owner is out of reach its backup answers. KeyTooLong for a key that no node can
        hold.
        """
        require_key(key)
        deadline = self.clock() + int(self.budget * 1e9)
        tried: list[str] = []
        while True:
            now = self.clock()
            left = (deadline - now) * 1e-9
            way = Way(hops if left > 0 else MAX_HOPS, tried, ())
            step = next_step(self.cluster, self.links, key, way, now)
            if step.step is NextStep.GIVE_UP:
                return None
            if step.step is not NextStep.ASK:
                return self._inspect_here(key, reset=reset)
            tried.append(step.name)
            link = self.links.link_to(step.name)
            budget = left * OWNERS_SHARE  # the rest is for the backup
            if link is None:
                continue
            found = await link.inspect(key, reset=reset, hops=hops + 1, budget=budget)
            if found is not None and found.source != NOBODY:
                return found

    def _inspect_here(self, key: str, *, reset: bool) -> Holdings:
        held = [(str(limit), debt) for limit, debt in self.buckets.held(key, self.clock())]
        if reset:
            self.cluster.reset(key, self.forwarding.next_serial(), self.clock())
        mine = self.cluster.ring.pair(key)[0] == self.name
        return Holdings(0, Source.OWNER if mine else Source.BACKUP, self.name, held[:MAX_HELD])
