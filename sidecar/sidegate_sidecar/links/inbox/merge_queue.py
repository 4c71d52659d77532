"""The merge queue: buckets that nodes have sent, merged some in each turn of the loop.

A message of 100 buckets that are new here takes 0.2 ms, and eight of each node may be under way. So
they are merged in parts, while a turn has time, and behind what else came with them. What a node
says later comes later: a check that it passes on waits for buckets of its own key, all other words
for all buckets.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Buckets
from sidegate_sidecar.replication.merging import MAX_BUCKETS, size_of
from sidegate_sidecar.replication.outgoing.outbox import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidegate.protocol.messages import Check, Group

SLICE: Final = 50_000  # ns of merging in a turn, and what one part takes beyond
PART: Final = 12  # buckets between two looks at the clock: up to 0.03 ms
CHANGES_PART: Final = 50  # of what a walk hasn't found: nearly all is here, and costs little
MAX_WAITING: Final = 128  # parts of a node: 14 messages, which are more only of checks with sync


class _MergePart(NamedTuple):
    """Buckets that are merged at a time: of a message with these keys, and is it the last part?"""

    buckets: Buckets
    is_last: bool
    keys: frozenset[str]


class MergeQueue:
    """What waits to be merged, by node. `clock` is in ns, `later` calls in the next turn.

    `merge` merges a part of a message, and is told whether it is the last one. It may raise
    ValueError; its node hears of that with what it says next. `make_way` is called between two
    turns, for other processes that wait for this processor: those who ask, say.
    """

    def __init__(
        self,
        merge: Callable[[str, Buckets, bool], None],
        clock: Callable[[], int],
        later: Callable[[Callable[[], None]], object],
        make_way: Callable[[], None] = lambda: None,
    ) -> None:
        self._merge = merge
        self._clock = clock
        self._later = later
        self._make_way = make_way
        self._waiting: dict[str, deque[_MergePart]] = {}
        self._faults: dict[str, str] = {}
        self._goes_on = False  # is _go_on going to be called?

    def __bool__(self) -> bool:
        return bool(self._waiting or self._faults)

    def take(self, name: str, message: Buckets) -> None:
        """Merge buckets of a node: a part now, if it is all that waits, and else in next turns."""
        waiting = self._waiting.setdefault(name, deque())
        waiting.extend(_parts(message))
        if len(waiting) > MAX_WAITING:
            self.finish(name)
        if not self._goes_on:
            if len(waiting) == 1:
                self._go_on()
            elif waiting:
                self._goes_on = True
                self._later(self._go_on)
        if fault := self._faults.pop(name, None):
            raise WireError("bad-message", fault)

    def finish(self, name: str) -> None:
        """Merge all that a node has sent. WireError if some of it made no sense."""
        for part in self._waiting.pop(name, ()):
            self._merge_part(name, part)
        if fault := self._faults.pop(name, None):
            raise WireError("bad-message", fault)

    def finish_of(self, name: str, checks: Iterable[Check]) -> None:
        """Merge all that a node has sent if some of it is of the keys of these checks."""
        if waiting := self._waiting.get(name):
            keys = [check[0] for check in checks]
            if any(not part.keys.isdisjoint(keys) for part in waiting):
                self.finish(name)

    def drop(self, name: str) -> None:
        """Merge what a node has sent, and don't mind if it makes no sense: it is gone."""
        for part in self._waiting.pop(name, ()):
            self._merge_part(name, part)
        self._faults.pop(name, None)

    def _go_on(self) -> None:
        """Merge parts of all nodes in turn, one at least, and go on in the next turn."""
        self._goes_on = bool(self._waiting)
        if not self._goes_on:
            return
        self._later(self._go_on)
        until = self._clock() + SLICE
        while self._waiting:
            name, waiting = next(iter(self._waiting.items()))
            del self._waiting[name]
            part = waiting.popleft()
            if waiting:
                self._waiting[name] = waiting  # behind the others
            self._merge_part(name, part)
            if self._clock() >= until:
                self._make_way()
                return

    def _merge_part(self, name: str, part: _MergePart) -> None:
        try:
            self._merge(name, part.buckets, part.is_last)
        except ValueError as error:
            self._faults[name] = str(error)


def _parts(message: Buckets) -> Iterator[_MergePart]:
    """Cut a message into parts, each with its number; the last one is marked."""
    keys = frozenset[str]().union(*(group[1] for group in message.groups))
    size = size_of(message)
    part = PART if size <= BATCH else CHANGES_PART
    if not part < size <= MAX_BUCKETS:  # one that is too large is refused whole
        yield _MergePart(message, True, keys)
        return
    groups = [piece for group in message.groups for piece in _pieces(group, part)]
    for group in groups[:-1]:
        yield _MergePart(Buckets(message.id, [group]), False, keys)
    yield _MergePart(Buckets(message.id, groups[-1:]), True, keys)


def _pieces(group: Group, part: int) -> Iterator[Group]:
    text, keys, debts = group
    if len(keys) != len(debts):  # it makes no sense, and is refused whole
        yield group
        return
    for at in range(0, max(len(keys), 1), part):
        yield text, keys[at : at + part], debts[at : at + part]
