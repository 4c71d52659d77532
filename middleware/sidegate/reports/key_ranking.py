"""Which keys a ListKeys means, and the first of them in its order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.key_messages import KeyOrder, KeysBy, KeysListed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.key_messages import KeyRow, ListKeys

MAX_HELD = 32  # buckets told of a key: a check has up to 8 limits
MAX_BYTES = 1 << 19  # of keys and limits in an answer: half a frame
_ROW = 16  # bytes of a key, or of a bucket, besides texts
_JOINED = 256  # rows that are joined in a slice: 0.5 ms
_PRUNED_AT = 1_000  # keys more than are wanted, before those that are too many are dropped: 0.5 ms


def matching(by: KeysBy, text: str, keys: Iterable[str]) -> list[str]:
    """Return the keys that are meant."""
    if by is KeysBy.PREFIX:
        return [key for key in keys if key.startswith(text)] if text else list(keys)
    end = f":{text}"
    return [key for key in keys if key.endswith(end) and key.partition(":")[2] == text]


class KeyRanking:
    """The first keys of a table in the order of a question, of those that are meant.

    `owns` tells whose a key is: those of others are left out. Filled piece by piece, in which the
    table may change. Most keys cost a comparison; whose they are is asked only of those in front.
    """

    def __init__(
        self, asked: ListKeys, table: BucketTable, owns: Callable[[str], bool] = lambda _key: True
    ) -> None:
        self.more = False
        self._asked = asked
        self._table = table
        self._owns = owns
        self._debts: dict[str, int] = {}  # the largest of each key that may be among the first
        self._least = 0  # ns: who owes no more isn't among the first any more
        self._last = ""  # nor is, by its text, who comes behind this one; "" while all may be

    def add(self, text: str, keys: Sequence[str], now: int) -> None:
        """Look at keys under one limit."""
        meant = matching(self._asked.by, self._asked.text, keys)
        if not meant:
            return
        debts = self._debts
        for key, debt in zip(*self._table.debts(text, meant, now, self._least), strict=True):
            if debt > debts.get(key, 0) and not (self._last and key > self._last):
                debts[key] = debt
        if len(debts) > _PRUNED_AT + self._asked.most:
            self._prune()

    def _prune(self) -> None:
        """Keep the first keys that are owned, and know what can't be among them any more."""
        most, first = self._asked.most, list[str]()
        for key in self._ordered():
            if self._owns(key):
                if len(first) == most:
                    self.more = True
                    break
                first.append(key)
        # Only once it is known that there are more: of what is left out nobody asks whose it is.
        if self.more and self._asked.order is KeyOrder.DEBT:
            self._least = self._debts[first[-1]]
        elif self.more:
            self._last = first[-1]
        self._debts = {key: self._debts[key] for key in first}

    def _ordered(self) -> list[str]:
        debts = self._debts
        if self._asked.order is KeyOrder.DEBT:
            return sorted(sorted(debts), key=debts.__getitem__, reverse=True)
        return sorted(debts)

    def rows(self, now: int) -> list[KeyRow]:
        """Return the first keys in their order, as far as an answer has room for them."""
        self._prune()
        rows: list[KeyRow] = []
        for key in self._ordered():
            if held := self._table.held(key, now):  # else it is full by now
                held.sort(key=lambda it: -it[1])
                rows.append((key, 0, [(str(limit), debt) for limit, debt in held[:MAX_HELD]]))
        fitting = _fitting(rows)
        self.more = self.more or len(fitting) < len(rows)
        return fitting


def joined(
    asked: ListKeys, answers: Iterable[KeysListed], missing: Iterable[str]
) -> Generator[None, None, KeysListed]:
    """Make one answer of those of all nodes, in slices: of 50 it takes 40 ms.

    Of a key that two have told the larger debt counts: while the ring changes, two may take it for
    theirs.
    """
    nodes: list[str] = []
    silent = [*missing]
    unfinished: list[str] = []
    rows: dict[str, tuple[int, str, KeyRow]] = {}  # by key, with what orders it
    more = False
    by_debt = asked.order is KeyOrder.DEBT
    for answer in answers:
        places = {at: len(nodes) + at for at in range(len(answer.nodes))}
        nodes += answer.nodes
        silent += answer.missing
        unfinished += answer.unfinished
        more = more or answer.more == 1
        for begin in range(0, len(answer.rows), _JOINED):
            for key, place, held in answer.rows[begin : begin + _JOINED]:
                debt = _debt(held)
                before = rows.get(key)
                if place in places and debt > (_debt(before[2][2]) if before else 0):
                    rows[key] = -debt if by_debt else 0, key, (key, places[place], held)
            if len(rows) > asked.most:
                more = True
                rows = {row[1]: row for row in sorted(rows.values())[: asked.most]}
            yield
    ordered = [row for _, _, row in sorted(rows.values())]
    some = _fitting(ordered)
    more = more or len(some) < len(ordered)
    return KeysListed(asked.id, nodes, sorted(silent), unfinished, some, int(more))


def _debt(held: Iterable[tuple[str, int]]) -> int:
    return max((debt for _, debt in held), default=0)


def _fitting(rows: list[KeyRow]) -> list[KeyRow]:
    """Return as many of these as there is room for."""
    room = MAX_BYTES
    for at, (key, _, held) in enumerate(rows):
        room -= len(key.encode()) + _ROW + sum(len(limit) + _ROW for limit, _ in held)
        if room < 0:
            return rows[:at]
    return rows
