"""Fill leases: for each value that isn't there, who is to fill it, and who waits for it. Pure.

At most one has the lease of a key at a time. It goes to the next who waits when its holder gives it
back, when the link to the holder breaks, or when its time is over. Nobody is told that it has lost
one: what it brings is refused by the token.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sidegate.buckets.limits import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_FILLS = 4_096  # leases: functions that run at the same time for one node's keys
MAX_WAITING = 1_024  # for one key
MAX_WAITING_IN_ALL = 16_384  # 4 MB; who finds no place calls its function, and doesn't keep it
MAX_LEASE = 60 * SECOND  # ns; also how long a lease holds at all while nobody else wants it
NO_ROOM = -1
WAITS = 0

Source: TypeAlias = str | int
"""Who asks: another node by its name, or the number of an app's connection."""

Item: TypeAlias = tuple[str, str]
"""(namespace, key)."""


class LeaseAsker(NamedTuple):
    """A question of somebody, how long it may hold a lease, and then keep a copy (ns)."""

    source: Source
    id: int
    lease: int
    near: int = 0


class Grant(NamedTuple):
    """A lease for somebody who waited."""

    asker: LeaseAsker
    item: Item
    token: int


@dataclass(slots=True)
class _Fill:
    asker: LeaseAsker
    token: int
    until: int  # then somebody else may fill
    ends: int  # then it is forgotten, whether somebody wants it or not
    waiting: deque[tuple[LeaseAsker, int]] = field(default_factory=deque[tuple[LeaseAsker, int]])


class Fills:
    """The leases of the keys that one node owns. `now` is in ns.

    Tokens count up from `first`, which no other life of a node has.
    """

    def __init__(self, first: int) -> None:
        self._fills: dict[Item, _Fill] = {}
        self._token = first
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._fills)

    def ask(self, item: Item, asker: LeaseAsker, now: int) -> int:
        """Return a token for who is to fill, WAITS for who waits, NO_ROOM for who does neither."""
        fill = self._fills.get(item)
        if fill is None:
            if len(self._fills) >= MAX_FILLS:
                return NO_ROOM
            return self._lend(item, asker, now)
        if self.is_free(item, now):
            return self._lend(item, asker, now)
        if len(fill.waiting) >= MAX_WAITING or self.waiting >= MAX_WAITING_IN_ALL:
            return NO_ROOM
        fill.waiting.append((asker, now + _lease(asker)))
        self.waiting += 1
        return WAITS

    def _lend(self, item: Item, asker: LeaseAsker, now: int) -> int:
        self._token += 1
        fill = _Fill(asker, self._token, now + _lease(asker), now + MAX_LEASE)
        before = self._fills.get(item)
        if before is not None:
            fill.waiting = before.waiting
        self._fills[item] = fill
        return self._token

    def is_free(self, item: Item, now: int) -> bool:
        """Would who asks now get the lease?"""
        fill = self._fills.get(item)
        return fill is None or (fill.until <= now and not fill.waiting)

    def holds(self, item: Item, token: int) -> bool:
        """Is this the token by which the key may be filled?"""
        fill = self._fills.get(item)
        return fill is not None and fill.token == token

    def end(self, item: Item, now: int) -> list[LeaseAsker]:
        """End the lease of a key, which has a value now; return who waits for that."""
        fill = self._fills.pop(item, None)
        if fill is None:
            return []
        self.waiting -= len(fill.waiting)
        return [asker for asker, until in fill.waiting if until > now]

    def release(self, item: Item, token: int, now: int) -> list[Grant]:
        """Give a lease back, for the next who waits."""
        return self.pass_on(item, now) if self.holds(item, token) else []

    def pass_on(self, item: Item, now: int) -> list[Grant]:
        """Take the lease of a key from who has it, for the next who waits."""
        fill = self._fills.get(item)
        while fill is not None and fill.waiting:
            asker, until = fill.waiting.popleft()
            self.waiting -= 1
            if until > now:
                return [Grant(asker, item, self._lend(item, asker, now))]
        self._fills.pop(item, None)
        return []

    def left(self, source: Source, now: int) -> list[Grant]:
        """Called when the link to somebody broke: it fills nothing, and waits for nothing."""
        lost: list[Item] = []
        for item, fill in self._fills.items():
            if any(asker.source == source for asker, _ in fill.waiting):
                still = [it for it in fill.waiting if it[0].source != source]
                self.waiting -= len(fill.waiting) - len(still)
                fill.waiting = deque(still)
            if fill.asker.source == source:
                lost.append(item)
        return self._pass_all_on(lost, now)

    def tick(self, now: int) -> list[Grant]:
        """Pass on what has been held for too long."""
        overdue = [
            item
            for item, fill in self._fills.items()
            if fill.ends <= now or (fill.until <= now and fill.waiting)
        ]
        return self._pass_all_on(overdue, now)

    def _pass_all_on(self, items: Iterable[Item], now: int) -> list[Grant]:
        return [grant for item in items for grant in self.pass_on(item, now)]

    def of(self, namespace: str) -> list[Item]:
        """Return what is filled in a namespace."""
        return [item for item in self._fills if item[0] == namespace]

    def take(self, which: Callable[[Item], bool], now: int) -> list[tuple[Item, LeaseAsker]]:
        """Forget the leases of some keys; return who waits for them."""
        gone = [item for item in self._fills if which(item)]
        return [(item, asker) for item in gone for asker in self.end(item, now)]


def _lease(asker: LeaseAsker) -> int:
    return min(asker.lease, MAX_LEASE)
