"""Local reservations: those of the buckets of one process, which asks no sidecar. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.errors import SidegateError
from sidegate.protocol.holds.reservation_messages import Commit
from sidegate.reservations.reservation_desk import ReservationDesk
from sidegate.reservations.reservation_ids import ReservationIds
from sidegate.reservations.reservation_table import ReservationTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.holds.reservation_messages import Reserve, Reserved
    from sidegate.protocol.messages import Answer, Check
    from sidegate.reservations.held_row import HeldRow


class LocalCharges:
    """The buckets of a process, as far as reservations change them."""

    def __init__(self, buckets: BucketTable) -> None:
        self._buckets = buckets

    def give_back(self, row: HeldRow, tokens: int, now: int) -> None:
        """Give tokens back that the row has charged, none beyond full.

        In pieces that a check may cost: with `add` more may be held than fits at once.
        """
        piece = row.limits.smallest_burst
        while tokens > 0:
            self._buckets.refund(row.key, row.limits, min(tokens, piece), now, row.windows)
            tokens -= piece

    def owe(self, row: HeldRow, tokens: int, now: int) -> None:
        """Charge tokens that were used, whether they are there or not."""
        self._buckets.owe(row.key, row.limits, tokens, now)


class LocalReservations:
    """The reservations of the buckets of a process, on its clock; `secret` signs their ids."""

    def __init__(self, buckets: BucketTable, now: Callable[[], int], secret: bytes) -> None:
        self._buckets = buckets
        self._now = now
        self._table = ReservationTable(LocalCharges(buckets))
        ids = ReservationIds("", lambda: (secret,), now)
        self._desk = ReservationDesk("", self._table, buckets, ids)
        self._serial = 0

    def tick(self) -> None:
        """Give back what is over its time by now."""
        self._table.expire(self._now(), lambda _: True)

    def answer(self, asked: Reserve | Commit) -> Reserved:
        """Answer as a sidecar does."""
        now = self._now()
        try:
            if isinstance(asked, Commit):
                self._desk.held_by(asked.reservation)
                return self._desk.commit(asked, Source.MEMORY, now)
            self._desk.limits_of(asked)
            self._serial += 1
            return self._desk.reserve(asked, self._serial, Source.MEMORY, now, self._charge)
        except SidegateError as error:
            return self._desk.refused(asked.id, error)

    def _charge(self, check: Check, _serial: int) -> Answer:
        key, text, cost = check
        allowed, debts = self._buckets.take(key, parse_limits(text), cost, self._now())
        return [int(allowed), *debts]

    def void(self, key: str, *, begins: bool = False) -> None:
        """Give nothing back of keys that were reset."""
        self._table.void(key, begins=begins)
