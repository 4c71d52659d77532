"""A reservation table: what becomes of reservations, and what that does to the buckets. Pure.

Each row has charged some tokens by its state: all that is held while it is open, what was used once
it is settled, nothing after its time. A change of state changes the buckets by the difference, on
each node that has the row and once on each. So a row that comes late or twice does no harm, and
who has no row gives nothing back: another node may have done so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sidegate.reservations.held_row import HeldRow, HoldState
from sidegate.reservations.held_rows import KEEP, HeldRows

if TYPE_CHECKING:
    from collections.abc import Callable


EXPIRED_AT_A_TIME: Final = 200  # rows looked at in a tick: 0.5 ms


class HeldBuckets(Protocol):
    """The buckets, as far as reservations change them; times are in ns."""

    def give_back(self, row: HeldRow, tokens: int, now: int) -> None:
        """Give tokens back that the row has charged, none beyond full."""
        ...

    def owe(self, row: HeldRow, tokens: int, now: int) -> None:
        """Charge tokens that were used, whether they are there or not."""
        ...


class Settlement(NamedTuple):
    """What a commit has come to; `is_known`: was there a row of it?"""

    actual: int
    change: int
    is_known: bool


@dataclass(slots=True)
class HoldCounts:
    """What became of reservations here, since the start; tokens as far as they were charged."""

    reserved: int = 0
    committed: int = 0
    expired: int = 0
    unknown: int = 0  # committed, and nothing could be given back
    untracked: int = 0  # for which the table had no room
    tokens_given_back: int = 0
    tokens_overshot: int = 0


def _heard(_row: HeldRow) -> None:
    """Tell nobody of a change."""


@dataclass(slots=True)
class ReservationTable:
    """The reservations of one node. `changed` is called with each row that others are to have."""

    buckets: HeldBuckets
    changed: Callable[[HeldRow], None] = _heard
    rows: HeldRows = field(default_factory=HeldRows)
    counts: HoldCounts = field(default_factory=HoldCounts)

    def open(self, row: HeldRow) -> bool:
        """Know of a reservation that was just charged; False if there is no room for it."""
        self.counts.reserved += 1
        if not self.rows.put(row):
            self.counts.untracked += 1
            return False
        self.changed(row)
        return True

    def add(self, row: HeldRow, tokens: int, serial: int) -> None:
        """Hold more, which was just charged."""
        row.held += tokens
        row.serial = serial
        self.changed(row)

    def settle(self, row: HeldRow, actual: int, now: int) -> Settlement:
        """Commit a reservation; the second time nothing is changed, and the answer is the same."""
        if row.state is HoldState.SETTLED:
            return Settlement(row.actual, row.change, is_known=True)
        change = row.change_to(actual)
        self.counts.committed += 1
        self._turn(row, HoldState.SETTLED, now, actual, change)
        self._apply(row, change, now)
        self.changed(row)
        return Settlement(actual, change, is_known=True)

    def settle_unknown(self, row: HeldRow, actual: int, now: int) -> Settlement:
        """Commit one that isn't known here: more may be charged, but nothing is given back.

        `row` is made of what its id says. After its end all of it may have been given back.
        """
        change = actual if row.ends_at <= now else max(actual - row.held, 0)
        self.counts.committed += 1
        self.counts.unknown += 1
        self._turn(row, HoldState.SETTLED, now, actual, change)
        self._apply(row, change, now)
        self.changed(row)
        return Settlement(actual, change, is_known=False)

    def expire(self, now: int, owns: Callable[[str], bool]) -> None:
        """Give back what nobody has committed in time; call it now and then.

        All who know of it do, but others are to know what that leaves where the key is ours.
        """
        for row in self.rows.due(now, EXPIRED_AT_A_TIME):
            if row.state is not HoldState.OPEN:
                continue  # it was forgotten and reserved again, and its first end is due as well
            held = row.held
            self._turn(row, HoldState.EXPIRED, now)
            self.buckets.give_back(row, held, now)
            if owns(row.key):
                self.changed(row)
                self.counts.expired += 1
                self.counts.tokens_given_back += held

    def void(self, key: str, *, begins: bool = False) -> None:
        """Give nothing back of a key that was reset, or of all keys that begin so."""
        if begins or self.rows.has_open(key):
            for row in list(self.rows.open.values()):
                if row.key == key or (begins and row.key.startswith(key)):
                    self._turn(row, HoldState.VOID, row.ends_at)

    def merge(self, theirs: HeldRow, now: int, *, owned: bool) -> bool:
        """Take over a row of another node; False if ours says as much already.

        Where ours has charged more by its state, the difference is given back. Where ours has given
        all back in time, what was used is charged if the key is ours (`owned`): others hear of that
        by the bucket itself. So all do of what was used beyond what was held.
        """
        ours = self.rows.get(theirs.key, theirs.name)
        if ours is None:
            theirs.until = max(theirs.ends_at, now) + KEEP
            return self.rows.put(theirs)
        if not _says_more(theirs, ours):
            return False
        if theirs.state is HoldState.OPEN:
            ours.held, ours.serial = theirs.held, theirs.serial
            return True
        change = _change_by(theirs, ours)
        self._turn(ours, theirs.state, now, theirs.actual, theirs.change)
        if change < 0 or owned:
            self._change(ours, change, now)
        return True

    def _turn(
        self, row: HeldRow, state: HoldState, now: int, actual: int = 0, change: int = 0
    ) -> None:
        """Have a row come to another state."""
        row.state, row.actual, row.change = state, actual, change
        row.until = max(row.ends_at, now) + KEEP
        self.rows.put(row)

    def _apply(self, row: HeldRow, change: int, now: int) -> None:
        if change < 0:
            self.counts.tokens_given_back -= change
        else:
            self.counts.tokens_overshot += change
        self._change(row, change, now)

    def _change(self, row: HeldRow, change: int, now: int) -> None:
        if change < 0:
            self.buckets.give_back(row, -change, now)
        elif change:
            self.buckets.owe(row, change, now)


def _change_by(theirs: HeldRow, ours: HeldRow) -> int:
    """Return by how many tokens it changes what ours has charged that theirs is so."""
    if HoldState.VOID in {theirs.state, ours.state}:
        return 0
    change = min(theirs.charged, theirs.held) - ours.charged
    return change if ours.state is HoldState.EXPIRED else min(change, 0)


def _says_more(theirs: HeldRow, ours: HeldRow) -> bool:
    if theirs.state is not ours.state:
        return theirs.state > ours.state
    if theirs.state is HoldState.OPEN:
        return theirs.held > ours.held
    return theirs.state is HoldState.SETTLED and theirs.actual > ours.actual
