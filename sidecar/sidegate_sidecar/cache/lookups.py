"""Lookups: questions about keys that other nodes own, and the leases that came of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.cache_messages import CacheGet, CacheRelease, CacheState, CacheValues
from sidegate.protocol.messages import MAX_HOPS
from sidegate_sidecar.cache.asked import Lookup
from sidegate_sidecar.cache.fills import MAX_LEASE
from sidegate_sidecar.cache.owner import MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from sidegate.protocol.cache_messages import Row
    from sidegate_sidecar.cache.around import Around
    from sidegate_sidecar.cache.counts import CacheCounts
    from sidegate_sidecar.cache.fills import Item, Source
    from sidegate_sidecar.cache.silence import Silence

    Again: TypeAlias = Callable[[Source, CacheGet, int, int], None]

MAX_LOOKUPS = 16_384  # under way: 8 MB; beyond it nobody can be asked
MAX_TRIES = 3  # of one question: owners may change while it waits
MAX_HELD = 4_096  # leases of one source that other nodes gave: no app fills so many at a time
_FILLS = (CacheState.FILL, CacheState.STALE_FILL)


class Lookups:
    """The questions of one node to others. `again` asks anew, who is the owner by now."""

    def __init__(self, around: Around, counts: CacheCounts, silence: Silence, again: Again) -> None:
        self._around = around
        self._counts = counts
        self._silence = silence
        self._again = again
        self._open: dict[int, Lookup] = {}
        self._held: dict[Source, dict[int, tuple[str, Item, int]]] = {}
        """Leases by who has them and by token: who gave them, for what, and until when."""
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def held(self) -> int:
        """How many leases of other nodes' keys are held by apps of this one."""
        return sum(map(len, self._held.values()))

    def ask(
        self,
        source: Source,
        question: CacheGet,
        places: list[int],
        to: str,
        now: int,
        tries: int = 0,
    ) -> None:
        """Ask a node about some keys of a question, or say that it can't be asked."""
        may = question.hops < MAX_HOPS and tries < MAX_TRIES and len(self._open) < MAX_LOOKUPS
        if not may or not self._silence.can_ask(to, now):
            self._lost(source, question, places)
            return
        self._last_id = number = self._last_id + 1
        until = now + self._silence.patience
        lookup = Lookup(source, question, places, to, tries, until, set(range(len(places))))
        self._open[number] = lookup
        keys = [question.keys[place] for place in places]
        hops, lease, near = question.hops + 1, question.lease, question.near
        self._around.post(to, CacheGet(number, hops, question.name, keys, lease, near))

    def _lost(self, source: Source, question: CacheGet, places: Iterable[int]) -> None:
        rows: list[Row] = [(place, CacheState.LOST, 0, 0, b"") for place in places]
        self._counts.lost += len(rows)
        self._around.post(source, CacheValues(question.id, rows))

    @property
    def is_idle(self) -> bool:
        """Is nobody asked, and no lease held?"""
        return not self._open and not self._held

    # --- what comes of it

    def answered(self, name: str, message: CacheValues, now: int) -> None:
        """Pass an answer on; what nobody wants any more is given back."""
        lookup = self._open.get(message.id)
        if lookup is None or lookup.to != name:
            return
        rows = [row for row in message.rows if row[0] in lookup.open]
        if any(row[1] is CacheState.MOVED for row in rows):
            self._ask_again(message.id, lookup, now)
            return
        for place, state, _, token, _ in rows:
            if state is CacheState.WAIT:
                lookup.is_waiting = True
                lookup.until = now + lookup.question.lease * MICROSECOND + self._silence.patience
                continue
            lookup.open.discard(place)
            if state in _FILLS:
                self._note_lease(lookup, place, token, now)
        if not lookup.open:
            del self._open[message.id]
        if not lookup.is_gone:
            back = [(lookup.places[row[0]], *row[1:]) for row in rows]
            self._around.post(lookup.source, CacheValues(lookup.question.id, back))

    def _note_lease(self, lookup: Lookup, place: int, token: int, now: int) -> None:
        question = lookup.question
        item = question.name, question.keys[lookup.places[place]]
        held = self._held.setdefault(lookup.source, {})
        if lookup.is_gone or len(held) >= MAX_HELD:
            self._release(lookup.to, item, token)
        else:
            held[token] = lookup.to, item, now + MAX_LEASE
        if not held:
            del self._held[lookup.source]

    def _release(self, to: str, item: Item, token: int) -> None:
        self._around.post(to, CacheRelease(1, *item, token))

    def _ask_again(self, number: int, lookup: Lookup, now: int) -> None:
        """Ask whoever owns the key by now; only who waits does, for one key."""
        del self._open[number]
        if lookup.is_gone:
            return
        if lookup.is_waiting:
            self._again(lookup.source, lookup.question, now, lookup.tries + 1)
        else:
            self._lost(lookup.source, lookup.question, [lookup.places[at] for at in lookup.open])

    def settle(self, source: Source, token: int) -> None:
        """Called when somebody fills by a token, or gives it back: then it holds it no more."""
        held = self._held.get(source)
        if held is not None and token in held:
            del held[token]
            if not held:
                del self._held[source]

    def left(self, source: Source, now: int) -> None:
        """Called when the link to an app or a node broke."""
        for token, (to, item, _) in self._held.pop(source, {}).items():
            self._release(to, item, token)
        for number, lookup in list(self._open.items()):
            if lookup.source == source:
                lookup.is_gone = True
            elif lookup.to == source:
                self._ask_again(number, lookup, now)

    def tick(self, now: int) -> None:
        """Give up what takes too long. A lease that comes after that is given back."""
        for number, lookup in [it for it in self._open.items() if it[1].until <= now]:
            if lookup.is_gone:
                del self._open[number]
                continue
            if not lookup.is_waiting:
                self._silence.noted(lookup.to, lookup.until - self._silence.patience, now)
            self._lost(lookup.source, lookup.question, [lookup.places[at] for at in lookup.open])
            lookup.is_gone = True
            lookup.until = now + lookup.question.lease * MICROSECOND + self._silence.patience
        for source, held in list(self._held.items()):
            for token in [token for token, (_, _, until) in held.items() if until <= now]:
                del held[token]
            if not held:
                del self._held[source]
