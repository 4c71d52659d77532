"""The inbox: what links tell of other nodes, passed on to the cluster with the time."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sidegate.protocol.cache_messages import CACHE_MESSAGES
from sidegate.protocol.codec import WireError, refuse
from sidegate.protocol.holds.slot_messages import SLOT_MESSAGES
from sidegate.protocol.messages import Buckets, Forget, Gossip, Merged
from sidegate_ring.membership.membership import Life
from sidegate_ring.membership.messages import MAX_AHEAD
from sidegate_sidecar.cluster.records.addresses import address_of
from sidegate_sidecar.cluster.records.claims import has_claimed
from sidegate_sidecar.links.inbox.merge_queue import MergeQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.protocol.messages import Hello, UnaskedMessage
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.cluster.leaving import Leaving
    from sidegate_sidecar.cluster.ticker import Ticker
    from sidegate_sidecar.links.caching.cache_links import CacheLinks
    from sidegate_sidecar.links.caching.no_cache import NoCache
    from sidegate_sidecar.links.holds.slot_links import SlotLinks
    from sidegate_sidecar.node.counts import Counts

EPOCH: Final = 1_767_225_600  # 2026, in seconds since 1970: a clock before it is wrong


@dataclass(slots=True)
class Inbox:
    """What one node hears, and what it knows of who speaks. `clock` is in ns."""

    cluster: Cluster
    ticker: Ticker
    leaving: Leaving
    counts: Counts
    clock: Callable[[], int]
    cache: CacheLinks | NoCache
    slots: SlotLinks
    merge_queue: MergeQueue = field(init=False)
    """Buckets that wait to be merged."""

    def __post_init__(self) -> None:
        later = asyncio.get_running_loop().call_soon
        self.merge_queue = MergeQueue(self._merge, self.clock, later, os.sched_yield)

    def on_connected(self, name: str) -> None:
        """Called when a link to a node came up, or is trusted again."""
        self.leaving.has_met = True
        self.cluster.on_connected(name, self.clock())
        self.slots.node_up(name)
        self.ticker.hurry()

    def on_disconnected(self, name: str) -> None:
        """Called when the link to a node broke."""
        self.merge_queue.drop(name)
        self.cluster.on_disconnected(name, self.clock())
        self.lost(name)
        self.ticker.hurry()

    def lost(self, name: str) -> None:
        """Called when a node can't be asked any more about what isn't buckets."""
        self.cache.node_left(name)
        self.slots.node_left(name)

    def on_message(self, name: str, message: UnaskedMessage, host: str) -> None:
        """Called with each message of a node; WireError for one that makes no sense."""
        if isinstance(message, Buckets):
            self.merge_queue.take(name, message)
            return
        if self.merge_queue and not isinstance(message, Merged):
            self.merge_queue.finish(name)
        if isinstance(message, CACHE_MESSAGES):
            self.cache.on_node(name, message)
            return
        if isinstance(message, SLOT_MESSAGES):
            self.slots.on_node(name, message)
            return
        if isinstance(message, Forget):
            refuse(message)
        if isinstance(message, Gossip):
            for about, address, *_ in message.rumors:
                address_of(about, address)
        membership = self.cluster.membership
        membership.max_incarnation = max(int(time.time()), EPOCH) + MAX_AHEAD
        membership.believe(hearsay=not self.cluster.place.joined)
        try:
            self.cluster.step(name, message, self.clock(), host)
        except ValueError as error:
            raise WireError("bad-message", str(error)) from None
        self.ticker.hurry()

    def _merge(self, name: str, part: Buckets, is_last: bool) -> None:  # a callback
        now = self.clock()
        if is_last:
            self.cluster.step(name, part, now)
            self.ticker.hurry()
        else:
            self.cluster.sync.merge_part(name, part, now)

    def changed(self) -> None:
        """Called when somebody between spoiled a connection of our own; counts like the others'."""
        self.counts.turned_away["changed"] += 1

    def is_alive(self, name: str) -> bool:
        """Tell if a node answers, as far as the nodes know."""
        member = self.cluster.membership.members.get(name)
        return member is None or member.state is Life.ALIVE

    def is_gone(self, name: str) -> bool:
        """Tell if a node is dead, has left, or never said a word."""
        member = self.cluster.membership.members.get(name)
        return member is None or not member.living

    def has_claimed(self, hello: Hello) -> bool | None:
        """Tell if the name in a Hello is its process's own; None if nobody alive has claimed it."""
        return has_claimed(self.cluster.membership.members.get(hello.name), hello)

    def node_at(self, address: str) -> str:
        """Return the name of the node that has that address, or had it last; empty if none has."""
        members = self.cluster.membership.members.values()
        return next((member.name for member in members if member.address == address), "")
