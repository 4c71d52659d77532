"""Stand-in ledgers: what was decided in place of owners, until these have settled it. Pure.

What a stand-in charges is told to the owner check by check, not as buckets: the owner adds what it
hasn't counted, and says what counted twice, because it had decided the same check and its own copy
of the bucket has come here in between. One message is under way at a time, so that what the
owner says is right for all that it was told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate.protocol.messages import Charged

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from typing import TypeAlias

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Charge, Settled, StoodIn
    from sidegate_ring.hashring import Ring

    Rows: TypeAlias = dict[tuple[str, str], list[Charge]]  # by key and text of the limits

MAX_CHARGES = 16_384  # checks in all ledgers: seconds of a busy node, 3 MB; of that many denied
MAX_DENIED = MAX_CHARGES // 2  # none are noted any more, since who is denied sets the pace
CHARGES_A_MESSAGE = 200  # of them in a message: 0.2 ms for the owner


class StandInLedger:
    """The checks of one owner that others were asked about. Times are in ns."""

    __slots__ = ("_flying", "_number", "_owed", "_pending", "_sent_at", "_since", "count")

    def __init__(self) -> None:
        self._pending: Rows = {}
        self._flying: Rows = {}
        self._owed: dict[tuple[str, str], int] = {}  # ticks not settled, by text and key
        self._number = 0
        self._sent_at = 0
        self._since = 0
        self.count = 0  # checks not settled

    def __bool__(self) -> bool:
        return bool(self._pending or self._flying)

    @property
    def unsettled(self) -> Iterable[tuple[str, str]]:
        """Return the buckets that the owner hasn't settled, by text of the limit and key."""
        return self._owed

    @property
    def is_due(self) -> bool:
        """Is there something to tell, and nothing under way?"""
        return bool(self._pending) and not self._flying

    def add(self, key: str, limits: Limits, charge: Charge, now: int) -> None:
        """Note a check that was decided."""
        if not self:
            self._since = now
        self.count += 1
        self._pending.setdefault((key, limits.asked), []).append(charge)
        self._owe(key, limits, charge[2])

    def _owe(self, key: str, limits: Limits, tokens: int) -> None:
        """Add to what isn't settled of each bucket, or take it away."""
        for limit in limits.items:
            place = limit.text, key
            ticks = self._owed.get(place, 0) + tokens * limit.interval
            if ticks:
                self._owed[place] = ticks
            else:
                self._owed.pop(place, None)

    def take(self, number: int, table: BucketTable, now: int) -> Charged:
        """Return the next message; called when one is due."""
        room = CHARGES_A_MESSAGE
        for place in list(self._pending):
            some = self._pending.pop(place)
            self._flying[place] = some[:room]
            if some[room:]:
                self._pending[place] = some[room:]
            room -= len(self._flying[place])
            if not room:
                break
        self._number, self._sent_at = number, now
        rows = [self._row(key, text, it, table, now) for (key, text), it in self._flying.items()]
        return Charged(number, rows)

    def _row(
        self, key: str, text: str, charges: list[Charge], table: BucketTable, now: int
    ) -> StoodIn:
        """Return what is told of a key; its debts are those without what other rows tell."""
        told = sum(tokens for *_, tokens in charges)
        debts: list[int] = []
        for limit in parse_limits(text).items:
            others = self._owed.get((limit.text, key), 0) - told * limit.interval
            debt = _debt(key, limit.text, table, now)
            debts.append(max(debt - max(others, 0) // limit.scale, 0))
        return key, text, debts, charges

    def settle(self, message: Settled, table: BucketTable, now: int) -> None:
        """Take back what counted twice, and take over what the owner knows.

        What was told in an earlier message, and told again since, is settled by the later one.
        """
        if message.id != self._number or not self._flying:
            return
        told = set[tuple[str, str]]()
        for (key, text), charges in self._flying.items():
            limits = parse_limits(text)
            told.update((limit.text, key) for limit in limits.items)
            self._owe(key, limits, -sum(tokens for _, _, tokens in charges))
            self.count -= len(charges)
        self._flying = {}
        self._since = self._sent_at
        for text, key, twice, debt in message.rows:
            if (text, key) in told:
                [limit] = parse_limits(text).items
                table.change(key, limit, -twice * limit.interval, now)
                since = -(-self._owed.get((text, key), 0) // limit.scale)
                most = max(debt, limit.capacity // limit.scale)
                table.merge(key, limit, min(debt + since, most), now)

    def give_back(self, now: int, after: int = 0) -> None:
        """Have what got no answer for `after` ns told again, in another message."""
        if self._flying and now - self._sent_at >= after:
            for place, charges in self._pending.items():
                # Not added to the list, which is part of a message.
                self._flying[place] = [*self._flying.get(place, ()), *charges]
            self._pending, self._flying = self._flying, {}

    def forget(self, keys: Container[str]) -> None:
        """Tell nothing of keys that were reset."""
        for rows in (self._pending, self._flying):
            for place in [it for it in rows if it[0] in keys]:
                self.count -= len(rows.pop(place))
        for owed in [it for it in self._owed if it[1] in keys]:
            del self._owed[owed]

    def lag(self, now: int) -> int:
        """Return how long the oldest check has waited to be settled, in ns, or a bit more."""
        return now - self._since if self else 0


def _debt(key: str, text: str, table: BucketTable, now: int) -> int:
    """Return what a bucket owes (ns), also if it was put by since."""
    _, live = table.debts(text, (key,), now, 0)
    _, put_by = table.put_by(text, (key,), now)
    return sum(live) + sum(put_by)


class StandInLedgers:
    """The ledgers of one node, by the owner; `usable` says whether that one can be reached."""

    def __init__(self, table: BucketTable, usable: Callable[[str], bool]) -> None:
        self._table = table
        self._usable = usable
        self._by_owner: dict[str, StandInLedger] = {}
        self._overflown: set[str] = set()  # owners that are sent buckets instead

    def __contains__(self, owner: str) -> bool:
        return bool(self._by_owner.get(owner))

    @property
    def busy(self) -> bool:
        """Is something not settled by an owner that can be reached?"""
        return any(it and self._usable(name) for name, it in self._by_owner.items())

    def unsettled(self) -> set[tuple[str, str]]:
        """Return the buckets that owners haven't settled, by text of the limit and key."""
        return {it for ledger in self._by_owner.values() for it in ledger.unsettled}

    @property
    def due(self) -> list[str]:
        """Return the owners that can be told something now."""
        return [it for it, ledger in self._by_owner.items() if ledger.is_due and self._usable(it)]

    def add(self, owner: str, key: str, limits: Limits, charge: Charge, now: int) -> bool:
        """Note a check that was decided in place of its owner.

        False if there are too many: then that owner is to be sent buckets, of which the larger
        debt counts, until `caught_up`.
        """
        count = sum(ledger.count for ledger in self._by_owner.values())
        if owner in self._overflown or count >= MAX_CHARGES:
            return False
        if charge[2] or count < MAX_DENIED:
            self._by_owner.setdefault(owner, StandInLedger()).add(key, limits, charge, now)
        return True

    def overflow(self, owner: str) -> set[tuple[str, str]]:
        """Drop the ledger of an owner; return the buckets to send, by text of the limit and key."""
        ledger = self._by_owner.pop(owner, None)
        self._overflown.add(owner)
        return set(ledger.unsettled) if ledger else set()

    def caught_up(self, owner: str) -> None:
        """Called when an owner has merged all that it was sent."""
        self._overflown.discard(owner)

    @property
    def overflown(self) -> list[str]:
        """Return the owners that are sent buckets."""
        return list(self._overflown)

    def take(self, owner: str, number: int, now: int) -> Charged:
        """Return the next message to an owner; called when one is due."""
        return self._by_owner[owner].take(number, self._table, now)

    def settle(self, owner: str, message: Settled, now: int) -> None:
        """Take over what an owner has settled."""
        if ledger := self._by_owner.get(owner):
            ledger.settle(message, self._table, now)

    def forget(self, keys: Container[str]) -> None:
        """Tell nobody of keys that were reset."""
        for ledger in self._by_owner.values():
            ledger.forget(keys)

    def unreachable(self, owner: str, now: int) -> None:
        """Called when what was on its way to an owner is lost."""
        if ledger := self._by_owner.get(owner):
            ledger.give_back(now)

    def give_back(self, now: int, after: int) -> None:
        """Have what got no answer for `after` ns told again."""
        for ledger in self._by_owner.values():
            ledger.give_back(now, after)

    def ring_changed(self, ring: Ring) -> None:
        """Drop the ledgers of owners that are off the ring, but for those still to be reached.

        They settle what they have heard of; the others own nothing any more.
        """
        for name in self._by_owner.keys() - set(ring.nodes):
            if not self._usable(name):
                del self._by_owner[name]

    def drop(self, owner: str) -> None:
        """Tell nothing to an owner that is gone."""
        self._by_owner.pop(owner, None)
        self._overflown.discard(owner)

    def lag(self, now: int) -> int:
        """Return how long the oldest check waits to be settled, in ns, or a bit more."""
        lags = [it.lag(now) for name, it in self._by_owner.items() if self._usable(name)]
        return max(lags, default=0)
