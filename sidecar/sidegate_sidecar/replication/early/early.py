"""Early: what goes out before a flush: what is at risk, and what somebody waits for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.replication.early.at_risk import AtRisk
from sidegate_sidecar.replication.early.confirming import Confirming

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate_sidecar.replication.flush import Flush
    from sidegate_sidecar.replication.outgoing.sending import Sending, Sends


class Early:
    """Both, and when there is something to do for either. Times are in ns."""

    def __init__(self, flush: Flush, sending: Sending, usable: Callable[[str], bool]) -> None:
        self.at_risk = AtRisk(flush, sending, usable)
        self.confirming = Confirming(flush, sending, usable)

    def due(self, now: int) -> int:
        """Return in how many ns to call `tick`."""
        return min(self.at_risk.due(now), self.confirming.due(now))

    def tick(self, now: int) -> Sends:
        """Send what waits, if it may go out by now; answer who has waited long enough."""
        self.confirming.tick(now)
        return self.at_risk.tick(now)

    def landed(self, name: str, number: int) -> None:
        """Called when a node has merged a message."""
        self.confirming.landed(name, number)

    def unreachable(self, name: str) -> None:
        """Called when what was on its way to a node is lost."""
        self.confirming.unreachable(name)
