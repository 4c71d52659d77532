"""Outboxes: what all other nodes are still to be sent, and how much of it may wait. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.replication.outgoing.outbox import RESEND_AFTER, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.messages import Buckets
    from sidegate_sidecar.replication.outgoing.outbox import Keys
    from sidegate_sidecar.replication.outgoing.sync_counts import SyncCounts

WALK_WAITS_AT = 8_192  # buckets in an outbox before a walk waits for it: a megabyte
# Buckets in all outboxes, what comes in seconds. Their keys may be gone from the table, and so are
# not counted there: 10 MB, and 85 MB of the longest keys.
MAX_WAITING = 65_536


class Outboxes:
    """One for each node that was to be sent something, by its name. Times are in ns."""

    def __init__(
        self, table: BucketTable, usable: Callable[[str], bool], counts: SyncCounts
    ) -> None:
        self._table = table
        self._usable = usable
        self._counts = counts
        self._boxes: dict[str, Outbox] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._boxes

    @property
    def waiting(self) -> int:
        """Return how many buckets are not on their way yet."""
        return sum(box.waiting for box in self._boxes.values())

    @property
    def are_late(self) -> bool:
        """Does more wait for a node that can be reached than may be on its way?"""
        return any(box.window_is_full and box.waiting for _, box in self.reachable())

    def have_room(self, deaf: Container[str]) -> bool:
        """May something be sent now? To those who are deaf it may not."""
        return any(
            box.waiting and not box.window_is_full and name not in deaf
            for name, box in self.reachable()
        )

    @property
    def hold_up(self) -> bool:
        """Is it for the outboxes to empty before a walk puts more into them?"""
        return any(box.waiting > WALK_WAITS_AT for _, box in self.reachable())

    @property
    def overflowed(self) -> bool:
        """Did more wait for a node than may, so that it can't be told what it lacks?"""
        return any(box.overflowed for box in self._boxes.values())

    def get(self, name: str) -> Outbox | None:
        """Return the outbox of a node, None if it has none."""
        return self._boxes.get(name)

    def of(self, name: str) -> Outbox:
        """Return the outbox of a node, a new one if it has none."""
        box = self._boxes.get(name)
        if box is None:
            box = self._boxes[name] = Outbox()
        return box

    def reachable(self) -> Iterator[tuple[str, Outbox]]:
        """Give those that hold something, of nodes that can be reached, with their names."""
        return ((name, box) for name, box in self._boxes.items() if box and self._usable(name))

    def take(self, box: Outbox, number: int, now: int, least: int) -> Buckets | None:
        """Return the next message of one of them, None when it has nothing to say."""
        message = box.take(number, self._table, now, least)
        if message is not None:
            self._counts.sent += sum(len(keys) for _, keys, _ in message.groups)
        return message

    def take_early(
        self, name: str, number: int, keys: Keys, now: int, window: int
    ) -> Buckets | None:
        """Return a message of these buckets for a node, None if they have to wait."""
        message = self.of(name).take_early(number, keys, self._table, now, window)
        if message is not None:
            self._counts.sent += sum(len(found) for _, found, _ in message.groups)
        return message

    def unmerged(self) -> Iterator[tuple[str, str]]:
        """Give all buckets that others haven't merged yet: text of the limit, and key."""
        for box in self._boxes.values():
            yield from box.unmerged()

    def lag(self, now: int) -> int:
        """Return how long the oldest change has waited, for a node that can be reached."""
        return max((box.lag(now) for _, box in self.reachable()), default=0)

    # --- what happens

    def keep(self, names: Container[str]) -> None:
        """Drop those of all other nodes."""
        for name in list(self._boxes):
            if name not in names:
                del self._boxes[name]

    def drop(self, name: str) -> None:
        """Send nothing to a node any more."""
        self._boxes.pop(name, None)

    def asked(self, name: str, number: int) -> None:
        """Called when a node asks what is left for it; `number` is of our last message."""
        if box := self._boxes.get(name):
            box.asked(number)

    def landed(self, name: str, number: int) -> None:
        """Called when a node has merged a message."""
        if box := self._boxes.get(name):
            box.landed(number)

    def unreachable(self, name: str, now: int) -> None:
        """Have what was on its way to a node sent again."""
        if box := self._boxes.get(name):
            self._counts.resent += box.give_back(now)

    def give_back(self, now: int) -> None:
        """Have what got no answer for long sent again."""
        for box in self._boxes.values():
            self._counts.resent += box.give_back(now, RESEND_AFTER)

    def bound(self) -> list[str]:
        """Empty the fullest while too much waits; return the nodes whose part is to be found anew.

        Those can be reached again, or didn't keep up.
        """
        while self.waiting > MAX_WAITING:
            max(self._boxes.values(), key=lambda it: it.waiting).overflow()
            self._counts.overflows += 1
        anew = [name for name, box in self._boxes.items() if box.overflowed and self._usable(name)]
        for name in anew:
            self._boxes[name].overflowed = False
        return anew
