"""What the slots of a node ask of the cluster and of the links around it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from sidegate.buckets.limits import SECOND

if TYPE_CHECKING:
    from sidegate.protocol.holds.slot_messages import SlotMessage
    from sidegate_ring.hashring import Ring

MILLISECOND: Final = 1_000_000  # ns
LASTS: Final = 2 * SECOND  # ns that a slot is held for from when its holder has said so

Speaker: TypeAlias = int | str
"""Who says something: an app, by the number of its connection, or a node, by its name."""


class SlotAround(Protocol):
    """The other nodes, and the apps of this one."""

    @property
    def name(self) -> str:
        """Return the name of this node."""
        ...

    @property
    def ring(self) -> Ring:
        """Return the ring as it is now."""
        ...

    def is_up(self, name: str) -> bool:
        """Tell if a node can be asked about slots."""
        ...

    def doubt(self, name: str) -> None:
        """Have others see whether a node is there, which doesn't answer."""

    def post(self, to: Speaker, message: SlotMessage) -> None:
        """Send a message to a node or an app, or drop it."""
