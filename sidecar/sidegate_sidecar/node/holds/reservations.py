"""Reservations: charged ahead by the node that owns the key, and settled there. No clock."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sidegate.buckets.decision import Source
from sidegate.errors import SidegateError
from sidegate.protocol.holds.reservation_messages import Reserved
from sidegate.protocol.messages import NOBODY
from sidegate.reservations.reservation_desk import ReservationDesk
from sidegate_sidecar.node.holds.one_check import OneCheck
from sidegate_sidecar.node.share import gives_share

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.limits import Limits
    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.protocol.holds.reservation_messages import Commit, Reserve
    from sidegate.protocol.messages import Answer, Check
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.holds.holder_road import HolderRoad
    from sidegate_sidecar.node.local import Local


def _serial_of(asked: Reserve) -> int:
    """Return the serial of a reservation with an id of its caller's, 0 for one without.

    It is always the same, so that who asks two nodes is charged once, whatever they know yet.
    """
    if not asked.own or asked.more:
        return 0
    named = blake2b(f"{len(asked.own)}:{asked.own}{asked.key}".encode(), digest_size=8)
    return int.from_bytes(named.digest()) >> 1 or 1


class Reservations:
    """What one node is asked about reservations, by apps and by other nodes."""

    def __init__(
        self,
        cluster: Cluster,
        local: Local,
        fallback: Fallback,
        road: HolderRoad,
        next_serial: Callable[[], int],
    ) -> None:
        self.asked = 0
        self.table = table = cluster.sync.rows.reservations
        self._cluster = cluster
        self._local = local
        self._fallback = fallback
        self._road = road
        self._desk = ReservationDesk(cluster.name, table, cluster.table, cluster.reservation_ids)
        self._next_serial = next_serial

    async def reserve(self, asked: Reserve) -> Reserved:
        """Charge ahead, at the owner of the key; what can't be asked is answered as well."""
        self.asked += 1
        try:
            limits = self._desk.limits_of(asked)
        except SidegateError as error:
            return self._desk.refused(asked.id, error)
        serial = asked.serial or _serial_of(asked) or self._next_serial()
        onward = replace(asked, serial=serial)
        found = await self._road.ask(
            asked.key,
            asked.hops,
            lambda number, hops: replace(onward, id=number, hops=hops),
            lambda source, now: self._reserve_here(onward, source, now),
        )
        return self._give_up(asked, limits) if found is None else replace(found, id=asked.id)

    def _reserve_here(self, asked: Reserve, source: Source, now: int) -> Reserved:
        def charge(check: Check, serial: int) -> Answer:
            if self._cluster.sync.decided.charged(serial, 0) == 0:  # denied before: it's asked anew
                serial = self._next_serial()
            return self._local.stand_in(OneCheck(serial, check), source, now)[0]

        reserved = self._desk.reserve(asked, asked.serial, source, now, charge)
        self._local.hearers.wake()  # rows are to be sent as well
        return reserved

    def _give_up(self, asked: Reserve, limits: Limits) -> Reserved:
        """Answer where nobody who knows can be asked, as a check is; nothing is held of it."""
        name, cluster, fallback = self._cluster.name, self._cluster, self._fallback
        if asked.hops:
            return Reserved(asked.id, NOBODY, name, [0])
        now, parts = self._road.clock(), cluster.parts
        check = asked.key, limits.asked, asked.amount
        if gives_share(cluster, fallback.policy):
            one = OneCheck(self._next_serial(), check)
            answer = self._local.by_share(one, parts, now)[0]
            return Reserved(asked.id, Source.LOCAL, name, answer, parts=parts)
        answer = self._local.fall_back((check,), now)[0]
        return Reserved(asked.id, fallback.source, name, answer, parts=fallback.parts(parts))

    def of_nothing(self, key: str, limits: Limits) -> str:
        """Return an id under which nothing is held: what is committed by it is charged."""
        return self._desk.of_nothing(key, self._next_serial(), limits)

    async def commit(self, asked: Commit) -> Reserved:
        """Settle a reservation at the owner of its key; with source `nobody` if none was there."""
        self.asked += 1
        try:
            held = self._desk.held_by(asked.reservation)
        except SidegateError as error:
            return self._desk.refused(asked.id, error)
        found = await self._road.ask(
            held.key,
            asked.hops,
            lambda number, hops: replace(asked, id=number, hops=hops),
            lambda source, now: self._commit_here(asked, source, now),
        )
        if found is None:
            return Reserved(asked.id, NOBODY, self._cluster.name, [0], asked.reservation)
        return replace(found, id=asked.id)

    def _commit_here(self, asked: Commit, source: Source, now: int) -> Reserved:
        settled = self._desk.commit(asked, source, now)
        self._local.hearers.wake()
        return settled
