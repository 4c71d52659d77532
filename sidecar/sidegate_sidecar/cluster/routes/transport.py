"""The transport: what a cluster asks of the links between its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sidegate.protocol.messages import Message, NodeMessage
    from sidegate_ring.membership.membership import Member


class Transport(Protocol):
    """The links between this node and the others."""

    def post(self, name: str, message: NodeMessage, /) -> None:
        """Send a message to a node, if it can be reached."""

    def is_up(self, name: str, /) -> bool:
        """Tell if messages to that node arrive, as far as we know."""
        ...

    def lacks(self, name: str, kind: type[Message], /) -> str:
        """Return why a node isn't told messages of that kind, for people; "" if it is."""
        ...

    def members_changed(self, changed: list[Member], /) -> None:
        """Link to who is new, and let go of who is gone."""
