"""The owner: answers questions about the values that this node owns. Pure; `now` is in ns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.cache_messages import PART_BYTES, CacheDone, CacheState, CacheValues
from sidegate.values.sieve import Value
from sidegate.values.store import ValueStore
from sidegate_sidecar.cache.counts import CacheCounts
from sidegate_sidecar.cache.fills import NO_ROOM, WAITS, Fills, LeaseAsker
from sidegate_sidecar.cache.removed import Removed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from sidegate.protocol.cache_messages import (
        CacheDelete,
        CacheGet,
        CacheMessage,
        CacheSet,
        Handed,
        Row,
    )
    from sidegate_sidecar.cache.fills import Grant, Item, Source

    Post: TypeAlias = Callable[[Source, CacheMessage], None]
    Forget: TypeAlias = Callable[[str, list[str]], None]

MICROSECOND = 1_000  # ns
TOKEN_BITS = 32  # of a token that count; those above are the node's


class CacheOwner:
    """Values, who fills them and who waits for them.

    `post` sends an answer, `forget` tells all apps that may have copies of these keys. `first` is
    this life's own part of all its tokens, and not 0: those of another owner don't hold here, which
    may have heard of a deletion that we haven't.
    """

    def __init__(self, max_bytes: int, first: int, post: Post, forget: Forget) -> None:
        self.store = ValueStore(max_bytes)
        self.fills = Fills(first << TOKEN_BITS)
        self.removed = Removed()
        self.counts = CacheCounts()
        self._post = post
        self._forget = forget

    # --- asking

    def get(self, source: Source, question: CacheGet, places: Iterable[int], now: int) -> None:
        """Answer for the keys at these places; who waits gets a second answer."""
        rows: list[Row] = []
        size = 0
        for place in places:
            row = self._row(source, question, place, now)
            self.counts.answers[row[1]] += 1
            if size and size + len(row[4]) > PART_BYTES:
                self._post(source, CacheValues(question.id, rows))
                rows, size = [], 0
            rows.append(row)
            size += len(row[4])
        self._post(source, CacheValues(question.id, rows))

    def _row(self, source: Source, question: CacheGet, place: int, now: int) -> Row:
        key = question.keys[place]
        entry = self.store.get(question.name, key, now)
        item, lease = (question.name, key), question.lease * MICROSECOND
        asker = LeaseAsker(source, question.id, lease, question.near * MICROSECOND)
        if entry is None:
            token = self.fills.ask(item, asker, now) if lease else NO_ROOM
            state = {NO_ROOM: CacheState.MISS, WAITS: CacheState.WAIT}.get(token, CacheState.FILL)
            return place, state, 0, max(token, 0), b""
        if now < entry.fresh_until:
            left = entry.fresh_until - now
            entry.note_copy(now, asker.near)
            return place, CacheState.HIT, left // MICROSECOND, 0, entry.data
        if lease and self.fills.is_free(item, now):
            token = self.fills.ask(item, asker, now)
            if token > 0:
                return place, CacheState.STALE_FILL, 0, token, entry.data
        return place, CacheState.STALE, 0, 0, entry.data

    # --- changing

    def set(self, source: Source, message: CacheSet, now: int) -> None:
        """Keep a value, if it may be, and give it to all who wait for it."""
        item, token = (message.name, message.key), message.token
        kept = False
        if not token or self.fills.holds(item, token):
            fresh = now + message.ttl * MICROSECOND
            stale = fresh + message.stale * MICROSECOND
            kept = self._keep(item, Value(message.key, message.data, fresh, stale), now)
            self.counts.kept += kept
        self.counts.refused += not kept
        self._post(source, CacheDone(message.id, int(kept)))

    def _keep(self, item: Item, entry: Value, now: int) -> bool:
        self._drop(item, now)
        kept = self.store.set(*item, entry, now)
        if not kept:
            self._grant(self.fills.pass_on(item, now))
            return False
        fresh = max(entry.fresh_until - now, 0) // MICROSECOND
        row: Row = (0, CacheState.HIT, fresh, 0, entry.data)
        for asker in self.fills.end(item, now):
            entry.note_copy(now, asker.near)
            self._post(asker.source, CacheValues(asker.id, [row]))
        return True

    def _drop(self, item: Item, now: int) -> bool:
        """Forget a value, and the copies that there may be; was there one?"""
        entry = self.store.delete(*item)
        if entry is not None and entry.near_until > now:
            self._forget(item[0], [item[1]])
        return entry is not None

    def delete(self, message: CacheDelete, now: int) -> int:
        """Forget values; return how many there were. What is being filled isn't kept either."""
        count = 0
        for key in message.keys:
            item = message.name, key
            count += self._drop(item, now)
            self.removed.add(item, now)
            self._grant(self.fills.pass_on(item, now))
        self.counts.removed += count
        return count

    def clear(self, name: str, now: int) -> int:
        """Forget a namespace; return how many values it had."""
        count = self.store.clear(name)
        self.removed.add((name, ""), now)
        for item in self.fills.of(name):
            self._grant(self.fills.pass_on(item, now))
        self.counts.removed += count
        return count

    # --- leases

    def release(self, item: Item, token: int, now: int) -> None:
        """Take a lease back, for the next who waits."""
        self._grant(self.fills.release(item, token, now))

    def left(self, source: Source, now: int) -> None:
        """Called when the link to somebody broke."""
        self._grant(self.fills.left(source, now))

    @property
    def is_idle(self) -> bool:
        """Is no lease out, and no removal left to forget?"""
        return not self.fills and not self.removed

    def tick(self, now: int) -> None:
        """Take back the leases whose time is over."""
        self._grant(self.fills.tick(now))
        self.removed.tick(now)

    def _grant(self, grants: list[Grant]) -> None:
        for asker, _, token in grants:
            self.counts.granted += 1
            row: Row = (0, CacheState.FILL, 0, token, b"")
            self._post(asker.source, CacheValues(asker.id, [row]))

    # --- other owners

    def give(self, item: Item, now: int) -> Handed | None:
        """Return a value for its new owner and forget it; None if there is none that is worth it.

        Copies of it may be on, which the new owner is told of.
        """
        entry = self.store.delete(*item)
        if entry is None or entry.stale_until <= now:
            return None
        fresh = max(entry.fresh_until - now, 0)
        stale = entry.stale_until - now - fresh
        near = max(entry.near_until - now, 0)
        fresh, stale, near = (time // MICROSECOND for time in (fresh, stale, near))
        return item[0], item[1], fresh, stale, near, entry.used, entry.data

    def take(self, handed: Handed, now: int) -> None:
        """Keep a value of the former owner, unless it was removed or there is another one."""
        name, key, fresh, stale, near, used, data = handed
        item = name, key
        if self.store.get(name, key, now) or self.removed.has(item, now):
            return
        until = now + fresh * MICROSECOND
        entry = Value(key, data, until, until + stale * MICROSECOND)
        if self._keep(item, entry, now):
            entry.near_until = max(entry.near_until, now + near * MICROSECOND)
            entry.used = used
            self.counts.taken_over += 1
