"""What a node counts of slots. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidegate.protocol.holds.slot_messages import FreedBy, SlotState


class SlotCounts:
    """Slots that were asked for by apps of a node, and those that are free again."""

    def __init__(self) -> None:
        self.answers: Counter[SlotState] = Counter()
        """Of those asked for, by what became of them."""
        self.freed: Counter[FreedBy] = Counter()
        """As holder; those that are silent, as who decides."""
