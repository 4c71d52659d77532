"""The links of the cache: what apps and nodes say of values, and what is said to them.

Apps are numbered by their connections, nodes have names. `no_cache.py` is in its place where there
is no cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.errors import SidegateError
from sidegate.link.parts import Joiner
from sidegate.protocol.cache_messages import CacheGet, CachePart
from sidegate.protocol.codec import WireError
from sidegate_sidecar.cache.cache_node import CacheNode
from sidegate_sidecar.links.app_numbers import AppNumbers
from sidegate_sidecar.links.caching.value_queues import GONE, ValueQueues
from sidegate_sidecar.links.polling import Polling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.link.connection import Connection
    from sidegate.protocol.cache_messages import CacheMessage
    from sidegate_sidecar.cache.fills import Source
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.links.caching.value_queues import NodeOutlet

MAX_JOINING = 64 << 20  # bytes of unfinished messages, of all sides together


class CacheLinks:
    """The cache of one sidecar, with its links. `clock` is in ns, `patience` in seconds.

    It is what the cache has around it, and where values leave.
    """

    def __init__(
        self,
        cluster: Cluster,
        peers: NodeOutlet,
        clock: Callable[[], int],
        max_bytes: int,
        *,
        first: int,
        patience: float,
    ) -> None:
        self._cluster = cluster
        self._peers = peers
        self._clock = clock
        self._apps = AppNumbers()
        self._joiners: dict[Source, Joiner] = {}
        self.joining = 0  # bytes of unfinished messages
        self.queues = ValueQueues(self)
        self.node = CacheNode(self, max_bytes, first=first, patience=int(patience * SECOND))
        self.polling = Polling(self.node, clock)

    # --- what others say

    def on_app(self, connection: Connection, message: CacheMessage) -> None:
        """Handle a message of an app. WireError for one that makes no sense."""
        self._handle(self._apps.of(connection), message)

    def on_node(self, name: str, message: CacheMessage) -> None:
        """Handle a message of a node. WireError for one that makes no sense."""
        self._handle(name, message)

    def _handle(self, source: Source, message: CacheMessage) -> None:
        whole = self._joined(source, message) if isinstance(message, CachePart) else message
        if whole is None:
            return
        try:
            self.node.on_message(source, whole, self._clock())
        except WireError:
            raise
        except SidegateError as error:
            raise WireError("bad-key", str(error)) from None
        finally:
            self.polling.look()

    def _joined(self, source: Source, part: CachePart) -> CacheMessage | None:
        joiner = self._joiners.setdefault(source, Joiner())
        before = joiner.held
        try:
            return joiner.add(part)
        finally:
            self.joining += joiner.held - before
            if not joiner.held:
                del self._joiners[source]
            while self.joining > MAX_JOINING:
                self._forget_parts(next(iter(self._joiners)))  # begun first, and still not whole

    def _forget_parts(self, source: Source) -> None:
        if joiner := self._joiners.pop(source, None):
            self.joining -= joiner.held

    def app_left(self, connection: Connection) -> None:
        """Called when the connection of an app ended."""
        number = self._apps.forget(connection)
        if number is not None:
            self._left(number)

    def node_left(self, name: str) -> None:
        """Called when the link to a node broke."""
        self._left(name)

    def _left(self, source: Source) -> None:
        self._forget_parts(source)
        self.queues.drop(source)
        self.node.left(source, self._clock())

    # --- what the cache has around it

    @property
    def name(self) -> str:
        """The name of this node."""
        return self._cluster.name

    def owner(self, place: str) -> str:
        """Return the node that owns what has this text on the ring; "" if nobody does."""
        ring = self._cluster.ring
        return ring.owner(place) if len(ring) else ""

    def owners(self) -> Iterable[str]:
        """Return all nodes on the ring."""
        return self._cluster.ring.nodes

    def is_up(self, name: str) -> bool:
        """Tell if a node can be sent something; one of an older release has no cache."""
        return self._peers.is_up(name) and not self._peers.lacks(name, CacheGet)

    def doubt(self, name: str) -> None:
        """Have others see whether a node is there, which doesn't answer."""
        self._cluster.doubt(name, self._clock())

    def post(self, to: Source, message: CacheMessage) -> None:
        """Send a message in its turn."""
        self.queues.post(to, message)

    # --- where values leave

    def unsent(self, to: Source) -> int:
        """Return how many bytes wait to be read by somebody."""
        if isinstance(to, str):
            return self._peers.unsent(to)
        connection = self._apps.connection(to)
        return GONE if connection is None else connection.transport.get_write_buffer_size()

    def write(self, to: Source, message: CacheMessage) -> None:
        """Send a message now, or drop it."""
        if isinstance(to, str):
            self._peers.post(to, message)
        elif (connection := self._apps.connection(to)) and not connection.transport.is_closing():
            connection.send(message)

    def cut_off(self, to: Source) -> None:
        """Close the connection of an app that asks and doesn't read. Nodes have other business."""
        if isinstance(to, int) and (connection := self._apps.connection(to)):
            self.queues.drop(to)
            connection.fail(WireError("timeout", "answers of the cache unread, and more asked"))

    # --- its life

    def ring_changed(self) -> None:
        """Called when there is another ring."""
        self.node.ring_changed(self._clock())
        self.polling.look()

    async def run(self) -> None:
        """Do what is due, for ever."""
        await self.polling.run()

    def close(self) -> None:
        """Send nothing more."""
        self.queues.close()
