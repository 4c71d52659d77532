"""A flush: when changes are sent, and into whose outboxes they go. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.replication.unsent import Unsent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sidegate.protocol.messages import Check
    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.replication.outgoing.outboxes import Outboxes
    from sidegate_sidecar.replication.rebalance import Puller

FLUSH_EVERY = 100 * 10**6  # ns: what a crash may lose; half as much would double the cost
FLUSH_SLICE = 200  # changes flushed in a piece of work: what one message holds
BACKLOG_SHARE = 16  # of changes that wait to be flushed, at once: else many made-up keys pile up


class Flush:
    """What was charged here, until it is in the outboxes of those who are to hold it.

    Who decides a check of its own key charges `unsent`; what has changed otherwise is put into
    `changed`. Newcomers, who ask for what will be theirs, are sent each change of it too. Times are
    in ns.
    """

    def __init__(
        self,
        me: str,
        ring: Ring,
        usable: Callable[[str], bool],
        outboxes: Outboxes,
        newcomers: Mapping[str, Puller],
    ) -> None:
        self.ring = ring
        self.changed: set[Check] = set()
        self.unsent = Unsent()  # since the last flush
        self.at_risk: set[Check] = set()  # of those changed: what is to go out before the others
        self.is_urgent = False  # is somebody to hear of a change at once?
        self.me = me
        self.usable = usable
        self._outboxes = outboxes
        self._newcomers = newcomers
        self._stood_in: set[tuple[str, Check]] = set()  # for whom, until it is flushed
        # Changes that are being flushed: keys by the text of their limits, and how many.
        self._unplaced: list[tuple[str, list[str]]] = []
        self._left = 0
        self._flushed_at = -FLUSH_EVERY

    def __bool__(self) -> bool:
        return self.has_unsent or bool(self._stood_in)

    @property
    def is_under_way(self) -> bool:
        """Is there more to place right now?"""
        return bool(self._unplaced)

    @property
    def has_changes(self) -> bool:
        """Has something changed since the last flush?"""
        return bool(self.unsent or self.changed)

    @property
    def has_unsent(self) -> bool:
        """Is a change in no outbox yet?"""
        return self.has_changes or bool(self._unplaced)

    @property
    def all_unsent(self) -> list[Check]:
        """Return the changes that are in no outbox yet."""
        unplaced = ((key, text, 0) for text, keys in self._unplaced for key in keys)
        return [*self.changed, *self.unsent, *unplaced]

    def due(self, now: int) -> int:
        """Return in how many ns changes are to be sent, 0 for now."""
        return 0 if self.is_urgent else max(self._flushed_at + FLUSH_EVERY - now, 0)

    def lag(self, now: int) -> int:
        """Return how long the oldest change waits: since the last flush at the most.

        The first one after a pause goes out at once.
        """
        return min(now - self._flushed_at, FLUSH_EVERY) if self.has_unsent else 0

    def stood_in(self, owner: str, check: Check) -> None:
        """Called when a check was decided here in place of its owner, whom the ledger tells."""
        self._stood_in.add((owner, check))

    def targets_of(self, key: str) -> Iterable[str]:
        """Return who else is to have what is known of a key."""
        targets = [name for name in self.ring.pair(key) if name and name != self.me]
        return [*targets, *self._further_targets(key, targets, self._newcomers.values())]

    def targets_of_all(
        self, holders: tuple[str, str], checks: list[Check]
    ) -> Iterator[tuple[list[str], list[Check]]]:
        """Yield who else is to have what is known of keys with these holders, and of which."""
        targets = [name for name in holders if name and name != self.me]
        if self._newcomers or not all(map(self.usable, targets)):  # then it depends on the key
            yield from ((list(self.targets_of(check[0])), [check]) for check in checks)
        else:
            yield targets, checks

    def tick(self, now: int) -> None:
        """Place some changes, or more of those that are being placed."""
        if (self.has_changes or self._stood_in) and not self.due(now):
            self._begin(now)
        self._place_some(now)

    def place_all(self, now: int) -> None:
        """Put all changes into the outboxes of those who are to hold them."""
        self._begin(now)
        while self._unplaced:
            self._place_some(now)

    def _begin(self, now: int) -> None:
        self._flushed_at = now
        self.is_urgent = False
        for text, keys in self.unsent.take():
            self._begin_to_place(text, keys)
        for key, text, _ in self.changed:
            self._begin_to_place(text, [key])
        self.changed.clear()
        self.at_risk.clear()
        for owner, check in self._stood_in:
            if self.ring.pair(check[0])[0] == owner:
                self._place_but(owner, check, now)
            else:
                self._begin_to_place(check[1], [check[0]])
        self._stood_in.clear()

    def _begin_to_place(self, text: str, keys: list[str]) -> None:
        self._unplaced.append((text, keys))
        self._left += len(keys)

    def _place_but(self, owner: str, check: Check, now: int) -> None:
        """Put a bucket into the outboxes of others than its owner, whom our ledger tells.

        The owner has its backup know, if it can be reached; else that one and the next have it.
        """
        key, texts, _ = check
        targets = [it.name for it in self._newcomers.values() if it.ring.owner(key) == it.name]
        if not self.usable(owner):
            holders = [name for name in self.ring.pair(key) if name not in {"", self.me}]
            targets += [*holders, *self._further_targets(key, holders, ())]
        for target in {*targets} - {owner, self.me}:
            for limit in parse_limits(texts).items:
                self._outboxes.of(target).add(limit.text, (key,), now)

    def _place_some(self, now: int) -> None:
        part = 4 if self._newcomers else 1  # which of these owns a key is asked for each
        room = max(FLUSH_SLICE, self._left // BACKLOG_SHARE) // part
        while room > 0 and self._unplaced:
            text, keys = self._unplaced[-1]
            some = keys[-room:]
            del keys[-room:]
            if not keys:
                self._unplaced.pop()
            room -= len(some)
            self._left -= len(some)
            self._place(text, some, now)

    def _place(self, texts: str, keys: list[str], now: int) -> None:
        groups: dict[tuple[str, str], list[str]] = {}  # by holders
        pairs = self.ring.pairs(keys)
        if len({*pairs}) == 1:
            groups[pairs[0]] = keys
        else:
            for holders, key in zip(pairs, keys, strict=True):
                groups.setdefault(holders, []).append(key)
        for holders, some in groups.items():
            for limit in parse_limits(texts).items:
                self._place_group(holders, limit.text, some, now)

    def _place_group(self, holders: tuple[str, str], text: str, keys: list[str], now: int) -> None:
        targets = [name for name in holders if name and name != self.me]
        for target in targets:
            self._outboxes.of(target).add(text, keys, now)
        for newcomer in self._newcomers.values():
            if newcomer.name not in targets and (owned := newcomer.owned(keys)):
                self._outboxes.of(newcomer.name).add(text, owned, now)
        if not all(map(self.usable, targets)):  # then it depends on the key
            for key in keys:
                for target in self._further_targets(key, targets, ()):
                    self._outboxes.of(target).add(text, (key,), now)

    def _further_targets(
        self, key: str, targets: list[str], newcomers: Iterable[Puller]
    ) -> Iterator[str]:
        """Yield who else is to be sent a key: a newcomer, and who is next where one is away."""
        for newcomer in newcomers:
            if newcomer.ring.owner(key) == newcomer.name and newcomer.name not in targets:
                yield newcomer.name
        if not all(map(self.usable, targets)):
            for name in self.ring.walk(key):
                if name != self.me and name not in targets and self.usable(name):
                    yield name
                    return
