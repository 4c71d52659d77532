"""Held charges: what reservations change in the buckets of a node. Pure."""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Charge, Check
    from sidegate.reservations.held_row import HeldRow
    from sidegate_sidecar.replication.corrections.settling import Settling
    from sidegate_sidecar.replication.flush import Flush

    StoodIn = Callable[[str, Check, Limits, Charge, int], None]

MAX_PIECES: Final = 64  # charges that an owner is told of for one reservation


class HeldCharges:
    """Gives back as refunds do; of what is owed the backup hears by the bucket.

    The owner, if that is another node, hears of it as of a check that was decided in its place.
    """

    def __init__(
        self, me: str, table: BucketTable, settling: Settling, flush: Flush, stood_in: StoodIn
    ) -> None:
        self._me = me
        self._table = table
        self._settling = settling
        self._flush = flush
        self._stood_in = stood_in

    def give_back(self, row: HeldRow, tokens: int, now: int) -> None:
        """Give tokens back that the row has charged, none beyond full."""
        self._settling.refund(row.key, row.limits, tokens, now, row.windows)

    def owe(self, row: HeldRow, tokens: int, now: int) -> None:
        """Charge tokens that were used, whether they are there or not."""
        self._table.owe(row.key, row.limits, tokens, now)
        owner = self._flush.ring.pair(row.key)[0]
        if owner == self._me:
            self._flush.changed.add((row.key, row.limits.asked, 0))
        elif owner:
            serial = _serial_of(row)
            for place, piece in enumerate(_pieces(row)):
                check = row.key, row.limits.asked, piece
                self._stood_in(owner, check, row.limits, (serial, place, piece), now)


def _serial_of(row: HeldRow) -> int:
    """Return what tells this from all other charges, also where it is told twice."""
    named = blake2b(f"{row.name}:{row.key}".encode(), digest_size=8, person=b"overshoot")
    return int.from_bytes(named.digest()) >> 1 or 1


def _pieces(row: HeldRow) -> Iterator[int]:
    """Give what was used beyond what was held, in pieces that a check may cost."""
    burst = row.limits.smallest_burst
    over = max(row.actual - row.held, 0)
    return islice((min(burst, over - at) for at in range(0, over, burst)), MAX_PIECES)
