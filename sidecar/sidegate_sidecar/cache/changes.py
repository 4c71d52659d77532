"""Changes that other nodes make for somebody: values kept, deleted and cleared. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sidegate.protocol.cache_messages import CacheDone
from sidegate.protocol.messages import MAX_HOPS
from sidegate_sidecar.cache.asked import SubRequest

if TYPE_CHECKING:
    from sidegate.protocol.cache_messages import CacheClear, CacheDelete, CacheSet
    from sidegate_sidecar.cache.around import Around
    from sidegate_sidecar.cache.asked import SharedChange
    from sidegate_sidecar.cache.silence import Silence

MAX_ORDERS = 16_384  # under way: 4 MB
FIRST_ORDER = 1 << 40  # ids of handovers count up from 0: both are answered by CacheDone


class Changes:
    """The orders of one node that are under way."""

    def __init__(self, around: Around, silence: Silence) -> None:
        self._around = around
        self._silence = silence
        self._orders: dict[int, SubRequest] = {}
        self._last_id = FIRST_ORDER

    def __len__(self) -> int:
        return len(self._orders)

    def order(
        self,
        gathering: SharedChange,
        to: str,
        what: CacheSet | CacheDelete | CacheClear,
        now: int,
    ) -> None:
        """Have a node make a change, or count it as missing."""
        can = what.hops < MAX_HOPS and len(self._orders) < MAX_ORDERS
        if not can or not self._silence.can_ask(to, now):
            gathering.missing += 1
            return
        self._last_id += 1
        gathering.open += 1
        self._orders[self._last_id] = SubRequest(gathering, to, now + self._silence.patience)
        self._around.post(to, replace(what, id=self._last_id, hops=what.hops + 1))

    def finish(self, gathering: SharedChange) -> None:
        """Answer if nothing is open."""
        if not gathering.open:
            done = CacheDone(gathering.id, gathering.count, gathering.missing)
            self._around.post(gathering.source, done)

    def done(self, name: str, message: CacheDone) -> None:
        """Called when a node has done something; late it is for nobody."""
        order = self._orders.get(message.id)
        if order is not None and order.to == name:
            self._end(message.id, message.count, message.missing)

    def _end(self, number: int, count: int, missing: int) -> None:
        gathering = self._orders.pop(number).gathering
        gathering.open -= 1
        gathering.count += count
        gathering.missing += missing
        self.finish(gathering)

    def left(self, name: str) -> None:
        """Called when the link to a node broke."""
        for number in [number for number, it in self._orders.items() if it.to == name]:
            self._end(number, 0, 1)

    def tick(self, now: int) -> None:
        """Give up what takes too long."""
        for number, order in list(self._orders.items()):
            if order.until > now:  # all have the same patience
                break
            self._silence.noted(order.to, order.until - self._silence.patience, now)
            self._end(number, 0, 1)
