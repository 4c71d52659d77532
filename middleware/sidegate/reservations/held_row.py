"""A held row: one reservation, as a node knows it, and what it has charged by its state. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.limits import Limits


class HoldState(IntEnum):
    """What has become of a reservation; of two copies the later one holds."""

    OPEN = 0
    EXPIRED = 1  # nobody has committed it in time: all was given back
    VOID = 2  # its key was reset: there is nothing that could be given back
    SETTLED = 3


@dataclass(slots=True)
class HeldRow:
    """A reservation. Times are ns on the clock of the node that has the row."""

    key: str
    name: str  # tells it from others of its key
    limits: Limits
    asked: int  # tokens, at first
    held: int  # tokens, with what was added
    ends_at: int
    windows: Sequence[int] = ()  # of the first charge, one for each limit, as refunds take them
    state: HoldState = HoldState.OPEN
    actual: int = 0  # once it is settled
    change: int = 0  # what the commit changed: below 0 was given back
    serial: int = 0  # of the latest charge, which may be asked for twice
    until: int = 0  # when it may be forgotten
    ends_ms: int = 0  # since 1970, as ids of it that this node has signed say it

    @property
    def charged(self) -> int:
        """How many tokens it has charged by its state."""
        match self.state:
            case HoldState.SETTLED:
                return self.actual
            case HoldState.EXPIRED:
                return 0
            case HoldState.OPEN | HoldState.VOID:
                return self.held

    def change_to(self, actual: int) -> int:
        """Return by how many tokens a commit changes what is charged."""
        more = actual - self.charged
        return max(more, 0) if self.state is HoldState.VOID else more
