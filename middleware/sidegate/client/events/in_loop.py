"""Events that are recorded in an event loop: told a few times a second, over its link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.link.health import LinkState
from sidegate.reports.event_counts import EventCounts, frames

if TYPE_CHECKING:
    import asyncio

    from sidegate.link.link import Link
    from sidegate.reports.event_counts import Recorded

TELL_EVERY: Final = 0.25  # seconds
PATIENCE: Final = 0.5  # seconds at least, to tell what waits when a client is closed


class LoopEvents:
    """What waits to be told. While the sidecar is away it goes on waiting, and nothing is lost."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.counts = EventCounts()
        self._loop = loop
        self._will_tell = False  # is _tell going to be called?

    def record(self, event: Recorded, link: Link) -> None:
        """Count an event, and tell it soon."""
        name, key, value = event
        self.counts.add(name, key, 1, value)
        if not self._will_tell:
            self._will_tell = True
            self._loop.call_later(TELL_EVERY, self._tell, link)

    def _tell(self, link: Link) -> None:
        self._will_tell = False
        if not self.tell(link) and link.state is not LinkState.CLOSED:
            self._will_tell = True
            self._loop.call_later(TELL_EVERY, self._tell, link)

    def tell(self, link: Link) -> bool:
        """Tell all that waits, and return whether nothing waits any more."""
        if not link.takes_checks:  # it is away: to make frames for nobody takes a millisecond
            return not self.counts
        for frame in frames(self.counts.take()):
            if not link.tell(frame):
                for name, key, count, total in frame.rows:
                    self.counts.add(name, key, count, total)
        return not self.counts

    async def tell_last(self, link: Link, budget: float) -> None:
        """Tell all that waits before the link is closed; if need be wait until it is up."""
        if self.counts and not self.tell(link):
            await link.inspect("sidegate", reset=False, hops=0, budget=max(budget, PATIENCE))
            self.tell(link)
