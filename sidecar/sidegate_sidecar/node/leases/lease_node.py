"""Leases: tokens that this node lends of keys that it owns, or has their owners lend. No clock.

Only an owner lends, nobody in its place: who can't be asked lends nothing, and checks go on as
ever. So there is one way, to the owner by the ring that all nodes agree on, as for refunds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.buckets.decision import Source
from sidegate.buckets.lending import LAPSE, Lending
from sidegate.buckets.limits import known_limits
from sidegate.errors import SidegateError
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.messages import MAX_HOPS, NOBODY, require_key
from sidegate_sidecar.cluster.place.stages import Stage
from sidegate_sidecar.node.leases.quiet import Quiet
from sidegate_sidecar.node.local import ANSWERS_SHARE
from sidegate_sidecar.node.refunds import owner_of, rows_by_owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.protocol.holds.lease_messages import ReturnedRow
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.failover import Links
    from sidegate_sidecar.node.local import Local

_MICROSECOND: Final = 1_000  # ns


class LeaseNode:
    """What one node is asked to lend, and is given back. `clock` is in ns, `budget` in seconds."""

    def __init__(
        self,
        cluster: Cluster,
        links: Links,
        local: Local,
        clock: Callable[[], int],
        budget: float,
        next_serial: Callable[[], int],
    ) -> None:
        self.asked = 0
        self.lending = Lending(cluster.table)
        self._cluster = cluster
        self._links = links
        self._local = local
        self._clock = clock
        self._budget = budget
        self._next_serial = next_serial
        self._quiet = Quiet(cluster)

    def borrow_here(self, asked: Borrow) -> Lent | None:
        """Answer a question at once; None if another node has to be asked first."""
        self.asked += 1
        now = self._clock()
        self._cluster.notice(now)
        owner = owner_of(self._cluster.ring, asked.key)
        if owner == self._cluster.name:
            return self._lend(asked, now)
        if not owner or asked.hops >= MAX_HOPS:
            return self._nothing(asked)
        return None

    async def borrow(self, asked: Borrow) -> Lent:
        """Ask the owner of a key, which is another node."""
        link = self._links.link_to(self._cluster.ring.pair(asked.key)[0])
        if link is None:
            return self._nothing(asked)
        budget = min(asked.budget * 1e-6, self._budget) * ANSWERS_SHARE
        onward = replace(asked, hops=asked.hops + 1, budget=int(budget * 1e6))
        found = await link.borrow(lambda number: replace(onward, id=number), budget)
        return self._nothing(asked) if found is None else replace(found, id=asked.id)

    def take_back(self, message: Returned) -> None:
        """End leases, here or at their owners; what can't be told now lapses."""
        self.asked += 1
        now = self._clock()
        self._cluster.notice(now)
        by_owner = rows_by_owner(self._cluster.ring, message.rows)
        for row in by_owner.pop(self._cluster.name, ()):
            self._settle(row, now)
        for owner, rows in by_owner.items() if message.hops < MAX_HOPS else ():
            if owner and (link := self._links.link_to(owner)):
                link.tell(Returned(message.hops + 1, rows))

    def _lend(self, asked: Borrow, now: int) -> Lent:
        cluster = self._cluster
        limits = known_limits(asked.limits)  # read before, for a check
        if limits is None or not limits.may_lease or self._quiet.lasts(now):
            return self._nothing(asked)
        if not self._may_lend(asked.key):
            return self._nothing(asked)
        number = self._next_serial()
        try:
            require_key(asked.key)
            loan = self.lending.lend(number, asked.key, limits, asked.wanted, now)
        except SidegateError:  # a check is told which
            return self._nothing(asked)
        if loan.tokens:
            self._local.hearers.charged_beside((asked.key, limits.asked, loan.tokens), now)
        lasts, pause = loan.lasts // _MICROSECOND, -(-loan.pause // _MICROSECOND)
        number = number if loan.tokens else 0
        name, tokens = cluster.name, loan.tokens
        return Lent(asked.id, Source.OWNER, name, tokens, lasts, number, pause, loan.debts)

    def _may_lend(self, key: str) -> bool:
        cluster = self._cluster
        is_whole = cluster.side.part.is_whole  # of a part of a limit nothing is lent
        return is_whole and cluster.stage is Stage.MEMBER and cluster.decides(key)

    def _settle(self, row: ReturnedRow, now: int) -> None:
        key, text, number, unspent = row
        if (limits := known_limits(text)) is None:
            return
        lease = self.lending.settle(number, key, limits, unspent, now)
        if lease is not None and self._cluster.decides(key):
            sync = self._cluster.sync
            sync.refund(key, lease.limits, lease.tokens, now, lease.windows)

    def _nothing(self, asked: Borrow) -> Lent:
        """Answer that nothing is lent now."""
        return Lent(asked.id, NOBODY, self._cluster.name, pause=LAPSE // _MICROSECOND)
