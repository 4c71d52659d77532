"""What a sidecar without a cache says to who asks for values: that none can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.cache_messages import (
    CacheClear,
    CacheDelete,
    CacheDone,
    CacheGet,
    CacheSet,
    CacheState,
    CacheValues,
)

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.cache_messages import CacheMessage
    from sidegate_sidecar.links.caching.value_queues import NodeOutlet


class NoCache:
    """In the place of CacheLinks."""

    def __init__(self, peers: NodeOutlet) -> None:
        self._peers = peers

    def on_app(self, connection: Connection, message: CacheMessage) -> None:
        """Answer an app."""
        if answer := _answer(message):
            connection.send(answer)

    def on_node(self, name: str, message: CacheMessage) -> None:
        """Answer a node that has a cache."""
        if answer := _answer(message):
            self._peers.post(name, answer)

    def app_left(self, connection: Connection) -> None:
        """Do nothing: nothing is known of it."""

    def node_left(self, name: str) -> None:
        """Do nothing: nothing is known of it."""

    def ring_changed(self) -> None:
        """Do nothing: there is nothing to hand over."""

    def close(self) -> None:
        """Do nothing: nothing waits to be sent."""


def _answer(message: CacheMessage) -> CacheMessage | None:
    """Return what is answered, if anything is."""
    match message:
        case CacheGet():
            lost = [(place, CacheState.LOST, 0, 0, b"") for place in range(len(message.keys))]
            return CacheValues(message.id, lost)
        case CacheSet() | CacheDelete() | CacheClear():
            return CacheDone(message.id, 0, 1)
        case _:
            return None
