"""What the cache of a node asks of the cluster and of the links around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.cache_messages import CacheMessage
    from sidegate_sidecar.cache.fills import Source


class Around(Protocol):
    """The other nodes, and the apps of this one."""

    @property
    def name(self) -> str:
        """Return the name of this node."""
        ...

    def owner(self, place: str) -> str:
        """Return the node that owns what has this text on the ring; "" if nobody does."""
        ...

    def owners(self) -> Iterable[str]:
        """Return all nodes that own something."""
        ...

    def is_up(self, name: str) -> bool:
        """Tell if a node can be sent something."""
        ...

    def doubt(self, name: str) -> None:
        """Have others see whether a node is there, which doesn't answer."""

    def post(self, to: Source, message: CacheMessage) -> None:
        """Send a message to a node or an app, or drop it."""
