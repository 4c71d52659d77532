"""The links of slots: what apps and nodes say of them, and what is said to them.

Apps are numbered by their connections, nodes have names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sidegate.buckets.limits import SECOND
from sidegate.errors import SidegateError
from sidegate.link.link import MAX_UNSENT
from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.slot_messages import SlotAsk
from sidegate_sidecar.links.app_numbers import AppNumbers
from sidegate_sidecar.links.polling import Polling
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.holds.slot_node import SlotNode
from sidegate_sidecar.node.local import ANSWERS_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.link.connection import Connection
    from sidegate.protocol.holds.slot_messages import SlotMessage
    from sidegate.protocol.messages import Message
    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.holds.slot_around import Speaker

    class NodeRoads(Protocol):
        """The links to the other nodes."""

        def is_up(self, name: str, /) -> bool:
            """Tell if a node can be sent something."""
            ...

        def lacks(self, name: str, kind: type[Message], /) -> str:
            """Return why a node isn't told messages of that kind; "" if it is."""
            ...

        def post(self, name: str, message: SlotMessage, /) -> None:
            """Send a message to a node, or drop it."""


class SlotLinks:
    """The slots of one sidecar, with their links, and what these slots have around them.

    `clock` is in ns, the `budget` of a question in seconds.
    """

    def __init__(
        self, cluster: Cluster, peers: NodeRoads, clock: Callable[[], int], budget: float
    ) -> None:
        self._cluster = cluster
        self._peers = peers
        self._clock = clock
        self._apps = AppNumbers()
        patience = budget * ANSWERS_SHARE * OWNERS_SHARE
        self.node = SlotNode(self, patience=int(patience * SECOND), now=clock())
        self.polling = Polling(self.node, clock)

    # --- what others say

    def on_app(self, connection: Connection, message: SlotMessage) -> None:
        """Handle a message of an app. WireError for one that makes no sense."""
        self._handle(self._apps.of(connection), message)

    def on_node(self, name: str, message: SlotMessage) -> None:
        """Handle a message of a node. WireError for one that makes no sense."""
        self._handle(name, message)

    def _handle(self, source: Speaker, message: SlotMessage) -> None:
        try:
            self.node.on_message(source, message, self._clock())
        except WireError:
            raise
        except SidegateError as error:
            raise WireError("bad-key", str(error)) from None
        finally:
            self.polling.look()

    # --- what happens

    def app_left(self, connection: Connection) -> None:
        """Called when the connection of an app ended."""
        number = self._apps.forget(connection)
        if number is not None:
            self.node.app_left(number, self._clock())

    def node_up(self, name: str) -> None:
        """Called when the link to a node came up, or is trusted again."""
        self.node.node_up(name, self._clock())

    def node_left(self, name: str) -> None:
        """Called when the link to a node broke."""
        self.node.node_left(name, self._clock())
        self.polling.look()

    def ring_changed(self) -> None:
        """Called when there is another ring."""
        self.node.ring_changed(self._clock())
        self.polling.look()

    async def run(self) -> None:
        """Do what is due, for ever."""
        await self.polling.run()

    # --- what slots have around them

    @property
    def name(self) -> str:
        """The name of this node."""
        return self._cluster.name

    @property
    def ring(self) -> Ring:
        """The ring as it is now."""
        return self._cluster.ring

    def is_up(self, name: str) -> bool:
        """Tell if a node can be asked; one of an older release has no slots."""
        return self._peers.is_up(name) and not self._peers.lacks(name, SlotAsk)

    def doubt(self, name: str) -> None:
        """Have others see whether a node is there, which doesn't answer."""
        self._cluster.doubt(name, self._clock())

    def post(self, to: Speaker, message: SlotMessage) -> None:
        """Send a message, or drop it. An app that asks and doesn't read is closed."""
        if isinstance(to, str):
            self._peers.post(to, message)
            return
        connection = self._apps.connection(to)
        if connection is None or connection.transport.is_closing():
            return
        if connection.transport.get_write_buffer_size() > MAX_UNSENT:
            connection.fail(WireError("timeout", "answers about slots unread, and more asked"))
            return
        connection.send(message)
