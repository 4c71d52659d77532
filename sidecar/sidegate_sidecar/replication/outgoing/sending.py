"""Sending: what goes out now, and in which order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from typing import TypeAlias

    from sidegate.protocol.messages import Buckets, NodeMessage
    from sidegate_sidecar.replication.corrections.resets import KnownResets
    from sidegate_sidecar.replication.corrections.stand_in_ledgers import StandInLedgers
    from sidegate_sidecar.replication.outgoing.outbox import Keys, Outbox
    from sidegate_sidecar.replication.outgoing.outboxes import Outboxes

    Sends: TypeAlias = list[tuple[str, NodeMessage]]

AT_A_TIME = 1  # messages to a node in a piece of work: 0.1 ms
GATHER = 5 * 10**6  # ns: while more is found, messages wait for so long to be full


class Sending:
    """First resets, then what was decided in another's place, then buckets.

    Who doesn't know of a reset would take a later bucket for an older one, so it gets none.
    """

    def __init__(
        self,
        outboxes: Outboxes,
        ledgers: StandInLedgers,
        resets: KnownResets,
        newcomers: Container[str],
        usable: Callable[[str], bool],
    ) -> None:
        self._outboxes = outboxes
        self._ledgers = ledgers
        self._resets = resets
        self._newcomers = newcomers
        self._usable = usable
        self._last_id = 0

    @property
    def is_due(self) -> bool:
        """May something go out now?"""
        deaf = self._deaf()
        resets = any(self._resets.is_due(name) and self._usable(name) for name in deaf)
        ledgers = any(name not in deaf for name in self._ledgers.due)
        return ledgers or resets or self._outboxes.have_room(deaf)

    def _deaf(self) -> set[str]:
        """Return who is to hear of resets before anything else."""
        return {*self._resets.hearers} if self._resets else set()

    def asked(self, name: str) -> None:
        """Called when a node asks what is left for it."""
        self._outboxes.asked(name, self._last_id)

    def next_id(self) -> int:
        """Return a number that no message of this node has had."""
        self._last_id += 1
        return self._last_id

    def send(self, now: int, least: int, *, at_once: bool = False, more: bool = False) -> Sends:
        """Return what the windows have room for; `at_once` all, without waiting for answers.

        While `more` is being found it is full messages only, or what has waited for a while. Debts
        of no more than `least` ns are left out, but for newcomers, who have nothing else.
        """
        outgoing: Sends = []
        deaf = self._deaf()
        for name in deaf:
            if self._resets.is_due(name) and self._usable(name):
                outgoing.append((name, self._resets.take(name, self.next_id(), now)))
        for name in self._ledgers.due:
            if name not in deaf:
                outgoing.append((name, self._ledgers.take(name, self.next_id(), now)))
        for name, box in self._outboxes.reachable():
            if name not in deaf and (at_once or not more or box.is_ripe(now, GATHER)):
                of_box = 0 if name in self._newcomers else least
                some = self._buckets(box, now, of_box, at_once=at_once)
                outgoing += ((name, message) for message in some)
        return outgoing

    def early(self, name: str, keys: Keys, now: int, window: int) -> Buckets | None:
        """Return a message of these buckets that goes out before all else, None if it can't."""
        if self._resets.is_deaf(name):
            return None
        return self._outboxes.take_early(name, self.next_id(), keys, now, window)

    def _buckets(self, box: Outbox, now: int, least: int, *, at_once: bool) -> Iterator[Buckets]:
        room = AT_A_TIME
        while at_once or (room and not box.window_is_full):
            room -= 1
            message = self._outboxes.take(box, self.next_id(), now, least)
            if message is None:
                return
            yield message
