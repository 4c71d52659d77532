"""Row copies: reservations get to the nodes that hold the buckets of their keys. Pure.

As with buckets: each change goes to the owner and the backup of the key, and to newcomers that will
own it; when the ring has changed, a walk finds whose holders are others than before. Any node that
has a row sends it, since rows may come twice and late without harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.protocol.holds.reservation_messages import ReservationRows
from sidegate.protocol.messages import Merged
from sidegate.reservations.held_row import HoldState
from sidegate.reservations.reservation_table import ReservationTable
from sidegate_sidecar.replication.holds.held_charges import HeldCharges
from sidegate_sidecar.replication.holds.row_box import RESEND_AFTER, RowBox
from sidegate_sidecar.replication.holds.row_messages import merge_owed, read, written

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from sidegate.buckets.buckets import BucketTable
    from sidegate.reservations.held_row import HeldRow
    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.replication.corrections.settling import Settling
    from sidegate_sidecar.replication.flush import Flush
    from sidegate_sidecar.replication.holds.held_charges import StoodIn
    from sidegate_sidecar.replication.holds.row_box import Place
    from sidegate_sidecar.replication.outgoing.sending import Sending, Sends

SLICE: Final = 200  # rows looked at between two looks at the sockets: 0.3 ms


class RowCopies:
    """The reservations of one node, and which other nodes are to be sent which.

    `owns` tells if a key is this node's, and `stood_in` is called as `Sync.stood_in`.
    """

    def __init__(
        self,
        table: BucketTable,
        settling: Settling,
        flush: Flush,
        sending: Sending,
        owns: Callable[[str], bool],
        stood_in: StoodIn,
    ) -> None:
        charges = HeldCharges(flush.me, table, settling, flush, stood_in)
        self.reservations = ReservationTable(charges, self._note)
        self._rows = self.reservations.rows
        self._table = table
        self._usable = flush.usable
        self._targets = flush.targets_of
        self._next_id = sending.next_id
        self._owns = owns
        self._boxes: dict[str, RowBox] = {}
        self._changed: dict[Place, None] = {}
        self._walk: list[Place] = []  # rows that are still to be looked at
        self._walked = self._ring = flush.ring  # that of the last walk, and that of now
        self._is_whole = False  # does somebody lack all, so that all rows are to be looked at?
        self._before: Ring | None = (
            flush.ring
        )  # that of the walk before the present one; on equal pairs nothing moves
        self._is_stale = False  # is there to be another walk?

    def _note(self, row: HeldRow) -> None:
        self._changed[row.key, row.name] = None

    # --- what others ask about it

    @property
    def is_busy(self) -> bool:
        """Does a node that can be reached lack anything, as far as is known?"""
        return self.to_do or any(map(self.lacks_some, self._boxes))

    @property
    def to_do(self) -> bool:
        """Is there anything of which it isn't known yet who is to have it?"""
        return bool(self._changed or self._walk or (self._is_stale and self._rows))

    @property
    def is_due(self) -> bool:
        """Is there something to do right now?"""
        walks = (self._walk or (self._is_stale and self._rows)) and not self._hold_up
        sends = any(box.is_due and self._usable(name) for name, box in self._boxes.items())
        return bool(self._changed or walks or sends)

    @property
    def _hold_up(self) -> bool:
        return any(box.is_full and self._usable(name) for name, box in self._boxes.items())

    def lacks_some(self, name: str) -> bool:
        """Is something on its way, or to be sent, to a node that can be reached?"""
        return bool(self._boxes.get(name)) and self._usable(name)

    @property
    def has_open(self) -> bool:
        """Is there a reservation that will expire, unless it is settled before?"""
        return bool(self.reservations.rows.open)

    # --- what happens

    def ring_changed(self, ring: Ring) -> None:
        """Find out in the next ticks whose holders are others than before."""
        self._ring = ring
        self._is_stale = True

    def walk_all(self) -> None:
        """Send all rows to all that are to have them: somebody lacks all."""
        self._is_stale = self._is_whole = True

    def keep(self, names: Container[str]) -> None:
        """Send nothing to other nodes than these."""
        for name in [it for it in self._boxes if it not in names]:
            del self._boxes[name]

    def drop(self, name: str) -> None:
        """Send nothing to a node any more."""
        self._boxes.pop(name, None)

    def landed(self, name: str, number: int) -> None:
        """Called when a node has merged a message."""
        if box := self._boxes.get(name):
            box.landed(number)

    def unreachable(self, name: str, now: int) -> None:
        """Have what was on its way to a node sent again."""
        if box := self._boxes.get(name):
            box.give_back(now)

    def tick(self, now: int) -> None:
        """Expire what is over its time, and have sent again what is lost."""
        self.reservations.expire(now, self._owns)
        for box in self._boxes.values():
            box.give_back(now, RESEND_AFTER)
        for name in [it for it, box in self._boxes.items() if box.overflowed and self._usable(it)]:
            del self._boxes[name]
            self.walk_all()

    def work(self) -> None:
        """Find out who is to have what has changed, and some of what is walked for."""
        if not self.to_do:
            return
        changed, self._changed = self._changed, {}
        self._place(changed)
        if not self._hold_up:
            self._go_on()

    def _go_on(self) -> None:
        if not self._walk and self._is_stale:
            self._is_stale = False
            self._before = None if self._is_whole else self._walked
            self._is_whole, self._walked = False, self._ring
            self._walk = [*self._rows.over, *self._rows.open]  # a list of references: 1 ms
        some = self._walk[-SLICE:]
        del self._walk[-SLICE:]
        self._place([place for place in some if self._moves(place[0])])

    def _moves(self, key: str) -> bool:
        before = self._before
        return before is None or before.pair(key) != self._walked.pair(key)

    def _place(self, places: Iterable[Place]) -> None:
        for place in places:
            for name in self._targets(place[0]):
                self._boxes.setdefault(name, RowBox()).add((place,))

    def send(self, now: int, *, at_once: bool = False) -> Sends:
        """Return what there is room for; `at_once` all."""
        outgoing: Sends = []
        if at_once:
            self._place(self._changed)
            self._changed = {}
        for name, box in self._boxes.items():
            while (box.is_due or (at_once and box)) and self._usable(name):
                number = self._next_id()
                if not (places := box.take(number, now)):
                    box.landed(number)
                    break
                outgoing.append((name, self._message(number, places, now)))
        return outgoing

    def _message(self, number: int, places: list[Place], now: int) -> ReservationRows:
        rows = [row for place in places if (row := self._rows.get(*place))]
        return ReservationRows(number, [written(row, self._table, now) for row in rows])

    def merge(
        self, sender: str, message: ReservationRows, now: int, stale: Container[str]
    ) -> Sends:
        """Take over rows of another node, but open ones of keys that were reset (`stale`); say so.

        ValueError for rows that make no sense.
        """
        for some in message.rows:
            row = read(some, now)
            if row.state is not HoldState.OPEN or row.key not in stale:
                self._merge(row, some[-1], now)
        return [(sender, Merged(message.id))]

    def _merge(self, row: HeldRow, owed: list[int], now: int) -> None:
        """Take over a row, and of its buckets what another node knows that we don't."""
        ours, owned = self._rows.get(row.key, row.name), self._owns(row.key)
        if row.state is HoldState.OPEN:
            if ours is None or row.held > ours.held:  # else ours may have given back since
                merge_owed(row, owed, self._table, now)
            self.reservations.merge(row, now, owned=owned)
        elif self.reservations.merge(row, now, owned=owned) and ours is not None and not owned:
            merge_owed(row, owed, self._table, now)
