"""The cache of one node: is the key mine? Then answer. Else ask its owner. Pure; `now` is in ns.

Who can't ask the owner says so at once: there is no second copy, and the app calls its function.
Apps and nodes are both sources of questions, and an answer goes where its question came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.cache_messages import (
    CacheClear,
    CacheDelete,
    CacheDone,
    CacheEntries,
    CacheForget,
    CacheGet,
    CacheRelease,
    CacheSet,
    CacheState,
    CacheValues,
)
from sidegate.protocol.codec import WireError, refuse
from sidegate.protocol.messages import MAX_HOPS, require_key
from sidegate_sidecar.cache.asked import SharedChange
from sidegate_sidecar.cache.changes import Changes
from sidegate_sidecar.cache.handover import CacheHandover
from sidegate_sidecar.cache.lookups import Lookups
from sidegate_sidecar.cache.owner import MICROSECOND, CacheOwner
from sidegate_sidecar.cache.silence import Silence

if TYPE_CHECKING:
    from sidegate.protocol.cache_messages import CacheMessage
    from sidegate_sidecar.cache.around import Around
    from sidegate_sidecar.cache.fills import Item, Source


def place_of(item: Item) -> str:
    """Return the text that a key has on the ring."""
    return f"{item[0]}\0{item[1]}"


class CacheNode:
    """Values of this node, and the way to those of others.

    `patience` (ns) is for another node's first answer; `first` is this life's part of its tokens.
    """

    def __init__(self, around: Around, max_bytes: int, *, first: int, patience: int) -> None:
        self._around = around
        self.owner = CacheOwner(max_bytes, first, around.post, self._forget)
        self.handover = CacheHandover(self.owner, around, place_of)
        self._silence = silence = Silence(around, patience)
        self.lookups = Lookups(around, self.owner.counts, silence, self._get)
        self.changes = Changes(around, silence)
        self._copying: set[Source] = set()  # apps that keep copies

    def _owner_of(self, item: Item) -> str:
        return self._around.owner(place_of(item))

    # --- what somebody says

    def on_message(self, source: Source, message: CacheMessage, now: int) -> None:
        """Handle a message. WireError or KeyTooLong for one that makes no sense."""
        match message:
            case CacheGet():
                self._require(message.keys)
                if message.lease and len(message.keys) != 1:
                    raise WireError("bad-message", "a lease is for one key")
                if message.near and isinstance(source, int):
                    self._copying.add(source)
                self._get(source, message, now)
            case CacheSet():
                self._require([message.key])
                self._set(source, message, now)
            case CacheDelete():
                self._require(message.keys)
                self._delete(source, message, now)
            case CacheClear():
                self._clear(source, message, now)
            case CacheRelease():
                self._release(source, message, now)
            case _ if isinstance(source, str):
                self._hear(source, message, now)
            case _:
                refuse(message)

    def _hear(self, name: str, message: CacheMessage, now: int) -> None:
        """Handle what only nodes say."""
        self._silence.broken(name, now)
        match message:
            case CacheValues():
                self.lookups.answered(name, message, now)
            case CacheDone():
                if self.handover.taken(name, message.id):
                    self.handover.work(now)
                else:
                    self.changes.done(name, message)
            case CacheForget():
                self._tell_apps(message)
            case CacheEntries():
                for handed in message.rows:
                    if self._owner_of(handed[:2]) == self._around.name:
                        self.owner.take(handed, now)
                self._around.post(name, CacheDone(message.id, len(message.rows)))
            case _:
                refuse(message)

    def _require(self, keys: list[str]) -> None:
        for key in keys:
            require_key(key)

    def _get(self, source: Source, question: CacheGet, now: int, tries: int = 0) -> None:
        by_owner: dict[str, list[int]] = {}
        for place, key in enumerate(question.keys):
            by_owner.setdefault(self._owner_of((question.name, key)), []).append(place)
        for owner, places in by_owner.items():
            if owner == self._around.name:
                self.owner.get(source, question, places, now)
            else:
                self.lookups.ask(source, question, places, owner, now, tries)

    # --- changes

    def _set(self, source: Source, message: CacheSet, now: int) -> None:
        self.lookups.settle(source, message.token)
        owner = self._owner_of((message.name, message.key))
        if owner == self._around.name:
            self.owner.set(source, message, now)
            return
        gathering = SharedChange(source, message.id)
        self.changes.order(gathering, owner, message, now)
        self.changes.finish(gathering)

    def _delete(self, source: Source, message: CacheDelete, now: int) -> None:
        by_owner: dict[str, list[str]] = {}
        for key in message.keys:
            by_owner.setdefault(self._owner_of((message.name, key)), []).append(key)
        gathering = SharedChange(source, message.id)
        for owner, keys in by_owner.items():
            part = CacheDelete(message.id, message.hops, message.name, keys)
            if owner == self._around.name:
                gathering.count += self.owner.delete(part, now)
            else:
                self.changes.order(gathering, owner, part, now)
        self.changes.finish(gathering)

    def _clear(self, source: Source, message: CacheClear, now: int) -> None:
        gathering = SharedChange(source, message.id, count=self.owner.clear(message.name, now))
        self._tell_apps(CacheForget(message.name, []))
        if not message.hops:
            for name in self._around.owners():
                if name != self._around.name:
                    self.changes.order(gathering, name, message, now)
        self.changes.finish(gathering)

    def _release(self, source: Source, message: CacheRelease, now: int) -> None:
        self.lookups.settle(source, message.token)
        item = message.name, message.key
        owner = self._owner_of(item)
        if owner == self._around.name:
            self.owner.release(item, message.token, now)
        elif message.hops < MAX_HOPS and owner:
            again = CacheRelease(message.hops + 1, *item, message.token)
            self._around.post(owner, again)

    # --- copies in apps

    def _forget(self, name: str, keys: list[str]) -> None:
        """Have all apps of all nodes keep no copies of these keys."""
        message = CacheForget(name, keys)
        for other in self._around.owners():
            if other != self._around.name:
                self._around.post(other, message)
        self._tell_apps(message)

    def _tell_apps(self, message: CacheForget) -> None:
        for app in self._copying:
            self._around.post(app, message)

    # --- what happens

    def left(self, source: Source, now: int) -> None:
        """Called when the link to an app or a node broke."""
        self._copying.discard(source)
        self.owner.left(source, now)
        self.lookups.left(source, now)
        if isinstance(source, str):
            self._silence.left(source)
            self.changes.left(source)
            self.handover.left(source)

    def ring_changed(self, now: int) -> None:
        """Have those who wait ask the new owners of their keys, and hand these over."""
        me = self._around.name
        waiting = self.owner.fills.take(lambda item: self._owner_of(item) != me, now)
        for (name, key), asker in waiting:
            lease, near = asker.lease // MICROSECOND, asker.near // MICROSECOND
            if isinstance(asker.source, str):
                moved = (0, CacheState.MOVED, 0, 0, b"")
                self._around.post(asker.source, CacheValues(asker.id, [moved]))
            else:
                self._get(asker.source, CacheGet(asker.id, 0, name, [key], lease, near), now)
        self.handover.begin()

    @property
    def is_idle(self) -> bool:
        """Would ticks change nothing and say nothing, however late they come?

        Values need none: their time is looked at when somebody asks for them.
        """
        return (
            self.owner.is_idle
            and self.lookups.is_idle
            and not self.changes
            and self.handover.is_over
        )

    def tick(self, now: int) -> bool:
        """Do what is due, at least every 50 ms while it isn't idle; is there more to do at once?"""
        self.owner.tick(now)
        self.lookups.tick(now)
        self.changes.tick(now)
        self.handover.work(now)
        return self.handover.has_work
