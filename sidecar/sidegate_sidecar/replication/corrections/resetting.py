"""Resetting: what a reset does on the node where it is made, and on those that hear of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.messages import Merged, require_key
from sidegate_sidecar.replication.corrections.prefix_walk import PrefixWalk
from sidegate_sidecar.replication.corrections.resets import (
    LASTS,
    MAX_PREFIXES,
    KeysOfResets,
    KnownReset,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.messages import Resets
    from sidegate_sidecar.replication.corrections.resets import KnownResets
    from sidegate_sidecar.replication.corrections.stand_in_ledgers import StandInLedgers


class Resetting:
    """Makes buckets full, once for each reset. `owns` tells if a key is this node's.

    `on_reset` is told the key, and whether all that begin with it were reset.
    """

    def __init__(
        self,
        table: BucketTable,
        resets: KnownResets,
        ledgers: StandInLedgers,
        owns: Callable[[str], bool],
        on_reset: Callable[[str, bool], None],
    ) -> None:
        self._table = table
        self._resets = resets
        self._ledgers = ledgers
        self._owns = owns
        self._on_reset = on_reset
        self._walks: list[PrefixWalk] = []  # the first is under way
        self._forgotten: dict[int, int] = {}  # buckets, by the numbers of the latest walks
        self._unanswered: dict[str, int] = {}  # messages of nodes that wait for the walks

    def reset(self, key: str, number: int, now: int, *, left: int = 0, by: str = "") -> None:
        """Do a reset unless its number is known, and remember it while old copies may be in debt.

        For `left` ns at least; `by` is the node that told of it.
        """
        held = [self._table.lasts(limit, now) for limit, _ in self._table.held(key, now)]
        if self._resets.add(number, KnownReset(key, now + max(left, LASTS, *held)), by):
            self._table.reset(key)
            self._ledgers.forget({key})
            self._on_reset(key, False)  # a callback's arguments have no names

    def learn(self, sender: str, message: Resets, now: int) -> list[tuple[str, Merged]]:
        """Do the resets that another node tells of; return the answer, unless it waits for walks.

        ValueError for a key that can't be one.
        """
        for number, key, left in message.resets:
            require_key(key)
            self.reset(key, number, now, left=left, by=sender)
        for number, prefix, left in message.prefixes:
            require_key(prefix)
            self.reset_all(prefix, number, now, left=left, by=sender)
        if any(self._resets.is_walked(number) for number, _, _ in message.prefixes):
            self._unanswered[sender] = message.id
            return []
        return [(sender, Merged(message.id))]

    # --- all keys that begin with a text

    def reset_all(self, prefix: str, number: int, now: int, *, left: int = 0, by: str = "") -> None:
        """Begin to reset all keys that begin with a text, unless the number is known."""
        reset = KnownReset(prefix, now + max(left, LASTS), begins=True)
        if not self._resets.add(number, reset, by):
            self._resets.prolong(number, now + left, by)
            return
        self._ledgers.forget(KeysOfResets((reset,)))
        self._walks = [it for it in self._walks if it.number in self._resets]  # not too many wait
        self._walks.append(PrefixWalk(number, prefix, self._table, self._owns))

    @property
    def is_walking(self) -> bool:
        """Is there a walk under way, or to come?"""
        return bool(self._walks)

    def walk(self, now: int) -> None:
        """Take a slice of the walk that is under way."""
        if not self._walks or self._walks[0].slice(now):
            return
        walk = self._walks.pop(0)
        if len(self._forgotten) >= MAX_PREFIXES:
            del self._forgotten[next(iter(self._forgotten))]
        self._forgotten[walk.number] = walk.forgotten
        self._resets.walked(walk.number, now + walk.lasts)
        self._on_reset(walk.prefix, True)  # a callback's arguments have no names

    def forgotten(self, number: int) -> int | None:
        """Return how many buckets of ours a reset made full, None while that isn't known."""
        return self._forgotten.get(number)

    def answers(self) -> list[tuple[str, Merged]]:
        """Return what to say to those whose messages waited for walks that are over."""
        if self._walks or not self._unanswered:
            return []
        answers = [(name, Merged(number)) for name, number in self._unanswered.items()]
        self._unanswered.clear()
        return answers

    def drop(self, name: str) -> None:
        """Answer nothing to a node that can't be reached: it may be another life of it later."""
        self._unanswered.pop(name, None)
