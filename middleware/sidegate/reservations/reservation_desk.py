"""A reservation desk: reserving, adding and committing where the key's buckets are. Pure.

Who asks is answered the same the second time: a row is found by what tells it from others of its
key, an id of the caller's or the serial by which all nodes know the question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate.errors import ReservationError, SidegateError
from sidegate.protocol.holds.reservation_messages import MAX_TTL, HoldFault, Reserved
from sidegate.protocol.messages import require_key
from sidegate.reservations.held_row import HeldRow, HoldState
from sidegate.reservations.held_rows import KEEP
from sidegate.reservations.reservation_ids import Held

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.holds.reservation_messages import Commit, Reserve
    from sidegate.protocol.messages import Answer, Check
    from sidegate.reservations.reservation_ids import ReservationIds
    from sidegate.reservations.reservation_table import ReservationTable

    Charge: TypeAlias = Callable[[Check, int], Answer]  # a check under a serial

MS = 10**6  # ns
MAX_ERROR = 240  # characters


class ReservationDesk:
    """Decides about reservations by the table of one node, which has that name.

    `now` is in ns on the clock of the buckets.
    """

    def __init__(
        self,
        name: str,
        table: ReservationTable,
        buckets: BucketTable,
        ids: ReservationIds,
    ) -> None:
        self.table = table
        self._name = name
        self._buckets = buckets
        self._ids = ids

    # --- what can't be asked

    def limits_of(self, asked: Reserve) -> Limits:
        """Return the limits of a question. SidegateError for one that makes no sense."""
        require_key(asked.key)
        limits = parse_limits(asked.limits)
        if asked.more:
            more = self._ids.read(asked.more)
            if (more.key, more.limits) != (asked.key, limits.asked):
                raise ReservationError("more of a reservation: expected its own key and limits")
        return limits

    def held_by(self, reservation: str) -> Held:
        """Return what an id says. SidegateError for one that isn't ours."""
        held = self._ids.read(reservation)
        require_key(held.key)
        parse_limits(held.limits)
        return held

    def refused(
        self, number: int, error: SidegateError | str, fault: HoldFault = HoldFault.MALFORMED
    ) -> Reserved:
        """Return the answer to what can't be done."""
        return Reserved(number, "owner", self._name, str(error)[:MAX_ERROR], fault=int(fault))

    # --- reserving

    def reserve(
        self, asked: Reserve, serial: int, source: str, now: int, charge: Charge
    ) -> Reserved:
        """Charge ahead, or say again what was."""
        if asked.more:
            return self._add(asked, serial, source, now, charge)
        name = f"i:{asked.own}" if asked.own else f"n:{serial:x}"
        limits = parse_limits(asked.limits)
        if row := self.table.rows.get(asked.key, name):
            if (row.limits, row.asked) == (limits, asked.amount):
                return self._again(asked.id, row, source, now)
            why = f"id {asked.own!r}: expected what it had first, {row.asked} of {row.limits}"
            return self.refused(asked.id, why, HoldFault.CONFLICT)
        answer = charge((asked.key, limits.asked, asked.amount), serial)
        if answer[0] != 1:
            return Reserved(asked.id, source, self._name, answer)
        ends_at = now + asked.ttl * MS
        row = HeldRow(asked.key, name, limits, asked.amount, asked.amount, ends_at)
        row.windows, row.serial = _windows_in(answer, limits), serial
        self.table.open(row)
        return self._reserved(asked.id, row, answer, source, now)

    def _add(self, asked: Reserve, serial: int, source: str, now: int, charge: Charge) -> Reserved:
        """Hold more of a reservation; of one that isn't known here too, while its time lasts."""
        more = self._ids.read(asked.more)
        row = self.table.rows.get(more.key, more.name) or self._row_of(more, now)
        if row.state is not HoldState.OPEN or row.ends_at <= now:
            why = "more of a reservation: its time is over, or it was committed"
            return self.refused(asked.id, why, HoldFault.OVER)
        if row.serial == serial:  # another node has charged it, and told us
            return self._again(asked.id, row, source, now)
        answer = charge((asked.key, row.limits.asked, asked.amount), serial)
        if answer[0] != 1:
            return Reserved(asked.id, source, self._name, answer, asked.more, row.held)
        self.table.add(row, asked.amount, serial)
        return self._reserved(asked.id, row, answer, source, now)

    def _again(self, number: int, row: HeldRow, source: str, now: int) -> Reserved:
        return self._reserved(number, row, [1, *self._debts(row, now)], source, now)

    def _reserved(
        self, number: int, row: HeldRow, answer: Answer, source: str, now: int
    ) -> Reserved:
        row.ends_ms = row.ends_ms or max(self._ids.wall() - now + row.ends_at, 0) // MS
        held = Held(row.key, row.name, row.limits.asked, row.held, row.ends_ms)
        return Reserved(number, source, self._name, answer, self._ids.sign(held), row.held)

    # --- committing

    def of_nothing(self, key: str, serial: int, limits: Limits) -> str:
        """Return an id under which nothing is held: what is committed by it is charged."""
        ends_ms = self._ids.wall() // MS + MAX_TTL
        return self._ids.sign(Held(key, f"n:{serial:x}", limits.asked, 0, ends_ms))

    def commit(self, asked: Commit, source: str, now: int) -> Reserved:
        """Settle a reservation, whose id was read before."""
        held = self._ids.read(asked.reservation)
        row = self.table.rows.get(held.key, held.name)
        if row is not None:
            settled = self.table.settle(row, asked.actual, now)
        else:
            row = self._row_of(held, now)
            if row.ends_at + KEEP <= now:
                why = "a reservation that ended more than 10 minutes ago: nothing was changed"
                return self.refused(asked.id, why, HoldFault.OVER)
            settled = self.table.settle_unknown(row, asked.actual, now)
        answer: Answer = [1, *self._debts(row, now)]
        kept = asked.reservation, settled.actual, settled.change
        return Reserved(asked.id, source, self._name, answer, *kept)

    def _debts(self, row: HeldRow, now: int) -> list[int]:
        return self._buckets.take(row.key, row.limits, 0, now)[1]

    def _row_of(self, held: Held, now: int) -> HeldRow:
        """Return a row of what an id says, which isn't known here."""
        ahead = self._ids.wall() - now
        ends_at = held.ends_at * MS - ahead
        limits = parse_limits(held.limits)
        return HeldRow(held.key, held.name, limits, held.held, held.held, ends_at)


def _windows_in(answer: Answer, limits: Limits) -> list[int]:
    """Return for each limit the number of the window that it was charged in, 0 for none."""
    windows = [0] * len(limits)
    if isinstance(answer, list):
        numbers = answer[1 + len(limits) :][1::2]
        for at, number in zip(limits.windows, numbers, strict=True):
            windows[at] = number
    return windows
