"""Told events: what apps record themselves, counted where its keys are owned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.errors import KeyTooLong
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import MAX_KEY_BYTES
from sidegate.reports.event_counts import EventCounts, frames, name_is_good

if TYPE_CHECKING:
    from sidegate.protocol.report_messages import EventRow, Events
    from sidegate_sidecar.links.peers import Peers
    from sidegate_sidecar.node.node import Node
    from sidegate_sidecar.reports.activity import Counted

EVERY: Final = 10**9  # ns between two times that it is passed on
MAX_WAITING: Final = 8_192  # names and keys of all owners: 4 MB; with more it is passed on at once


class ToldEvents:
    """Sums up what apps tell for a second, then tells each owner what is about its keys.

    Once, in one go; where that one can't be told now, it is counted here.
    """

    def __init__(self, node: Node, peers: Peers) -> None:
        self._node = node
        self._peers = peers
        self._of_owner: dict[str, EventCounts] = {}
        self._due = 0

    def take(self, message: Events) -> None:
        """Count all of it soon or, if it makes no sense, nothing. WireError."""
        for name, key, *_ in message.rows:
            if not name_is_good(name):
                raise WireError("bad-message", f"no event is called {name[:80]!r}")
            if key is not None and len(key.encode()) > MAX_KEY_BYTES:
                raise WireError("bad-key", str(KeyTooLong(len(key.encode()), MAX_KEY_BYTES)))
        if self._node.counting is None:
            return
        if message.hops:  # another node has summed it up
            self._count(message.rows)
            return
        ring, me = self._node.cluster.ring, self._node.name
        for name, key, count, total in message.rows:
            owner = me if key is None else ring.pair(event_key(name, key))[0]
            counts = self._of_owner.setdefault(owner, EventCounts())
            counts.add(name, key, count, total)
        if sum(map(len, self._of_owner.values())) > MAX_WAITING:
            self.pass_on()

    def tick(self, now: int) -> None:
        """Pass on what has come, if that is due; `now` in ns."""
        if now - self._due >= 0:
            self._due = now + EVERY
            self.pass_on()

    def pass_on(self) -> None:
        """Tell the owners, and have what is for this node counted."""
        of_owner, self._of_owner = self._of_owner, {}
        for owner, counts in of_owner.items():
            rows = counts.take()
            if owner == self._node.name:
                self._count(rows)
                continue
            link = self._peers.link_to(owner)
            for frame in frames(rows, 1):
                if link is None or not link.tell(frame):
                    self._count(frame.rows)

    def _count(self, rows: list[EventRow]) -> None:
        """Have rows counted here, those of a name at a time."""
        counting = self._node.counting
        assert counting is not None  # else nothing is taken
        by_name: dict[str, list[Counted]] = {}
        for name, key, count, total in rows:
            row = "" if key is None else event_key(name, key), count, total
            by_name.setdefault(name, []).append(row)
        for name, its in by_name.items():
            counting.record(name, its)


def event_key(name: str, key: str) -> str:
    """Return how a key of an event is called on the ring, and in reports."""
    return f"{name}:{key}"
