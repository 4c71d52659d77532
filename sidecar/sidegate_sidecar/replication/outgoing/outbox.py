"""An outbox: the buckets that one other node is still to be sent. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sidegate.buckets.limits import CARRYING
from sidegate.protocol.messages import Buckets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.messages import Group

    Keys: TypeAlias = dict[str, list[str]]  # by the text of their limit

BATCH = 100  # buckets in a message of a walk: 0.1 ms here; there it is merged in parts
CHANGES = 200  # in one of what has changed, which the other node has: 0.1 ms, and half as many
WINDOW = 8  # messages to one node without an answer: enough to keep both sides busy
EARLY_WINDOW = 32  # with what is at risk: a busy node reads so many in some milliseconds
AWAITED_WINDOW = 128  # with what somebody waits for: the largest frame of checks three times
SHORT_PART = 32  # of a burst, in the time that it takes to refill, which is short for any limit
RESEND_AFTER = 2 * 10**9  # ns without an answer, on a link that didn't break


class _Flying:
    """One message on its way."""

    __slots__ = ("has_changes", "is_early", "keys", "sent_at", "since")

    def __init__(
        self, keys: Keys, sent_at: int, since: int, *, has_changes: bool, is_early: bool = False
    ) -> None:
        self.keys = keys
        self.has_changes = has_changes
        self.is_early = is_early
        self.sent_at = sent_at
        self.since = since


def _groups_of(keys: Keys, table: BucketTable, now: int, least: int) -> list[Group]:
    groups: list[Group] = []
    for text, some in keys.items():
        dated = table.dated(text, now)
        short = min(least, table.full_in(text) // SHORT_PART) if dated == text else 0
        found, debts = table.debts(text, some, now, short)
        if found:
            groups.append((dated, found, debts))
        found, debts = table.put_by(text, some, now)
        if found:
            groups.append((CARRYING + dated, found, debts))
    return groups


class Outbox:
    """Which buckets to send, not what they owe: that is looked up when they are sent.

    So a bucket that changes a thousand times while it waits is sent once, and a debt is never
    older than the message that carries it. What has changed goes before what a walk has found.
    Times are in ns.
    """

    __slots__ = (
        "_changed",
        "_early",
        "_flying",
        "_found",
        "_last_before",
        "_since",
        "_taken_at",
        "overflowed",
        "waiting",
    )

    def __init__(self) -> None:
        self._changed: dict[str, dict[str, None]] = {}  # keys by the text of their limit
        self._found: dict[str, dict[str, None]] = {}
        self._flying: dict[int, _Flying] = {}
        self._early = 0  # how many of those went out early
        self._last_before = 0  # the last message before it was asked what is left
        self._since = 0  # when the oldest of those that wait came in
        self._taken_at = 0  # the last message
        self.waiting = 0  # buckets that are not on their way yet
        self.overflowed = False  # then it takes nothing, until all is put into it anew

    def __bool__(self) -> bool:
        return bool(self._changed or self._found or self._flying)

    @property
    def lacks_some(self) -> bool:
        """Is there a bucket that isn't merged there yet, but for later changes?"""
        return bool(self._changed or self._found) or any(True for _ in self._missed())

    @property
    def has_changes(self) -> bool:
        """Is there a change that isn't merged there yet, but for later ones?"""
        return bool(self._changed) or any(it.has_changes for it in self._missed())

    def asked(self, number: int) -> None:
        """Called when that node asks what is left; `number` is of our last message until then.

        What goes out early from now on it hears before the answer. It isn't to be waited for: where
        ever more is at risk there was always some of it on its way.
        """
        self._last_before = number

    def _missed(self) -> Iterator[_Flying]:
        for number, flying in self._flying.items():
            if not flying.is_early or number <= self._last_before:
                yield flying

    @property
    def window_is_full(self) -> bool:
        """Are as many messages on their way as may be?

        Those that went out early don't count: else ever more of them would hold up all others.
        """
        return len(self._flying) - self._early >= WINDOW

    def is_ripe(self, now: int, gather: int) -> bool:
        """Is there a full message, or has some of it waited for `gather` ns, or the last one?"""
        return self.waiting >= BATCH or now - max(self._since, self._taken_at) >= gather

    def add(self, text: str, keys: Iterable[str], now: int, *, found: bool = False) -> None:
        """Queue the buckets of these keys under one limit, which have changed, or were found."""
        if self.overflowed:
            return
        if not (self._changed or self._found):
            self._since = now
        held = (self._found if found else self._changed).setdefault(text, {})
        before = len(held)
        held.update(dict.fromkeys(keys))
        self.waiting += len(held) - before

    def take(self, number: int, table: BucketTable, now: int, least: int) -> Buckets | None:
        """Return the next message, None when there is nothing to say.

        Buckets that owe no more than `least` aren't worth it, and are left out; not those of
        quotas, of which nothing is back so soon, nor more than a part of a small burst.
        """
        while self._changed or self._found:
            has_changes = bool(self._changed)
            room = CHANGES if has_changes else BATCH
            keys = self._next_keys(self._changed or self._found, room)
            groups = _groups_of(keys, table, now, least)
            if groups:
                flying = _Flying(keys, now, self._since, has_changes=has_changes)
                self._flying[number] = flying
                self._taken_at = now
                return Buckets(number, groups)
        return None

    def take_early(
        self, number: int, keys: Keys, table: BucketTable, now: int, window: int
    ) -> Buckets | None:
        """Return a message of these buckets before all that waits, None if it has to wait too.

        They may be some more than BATCH, of checks with several limits. It is empty if they owe
        nothing.
        """
        if self.overflowed or len(self._flying) >= window:
            return None
        groups = _groups_of(keys, table, now, 0)
        if groups:
            self._flying[number] = _Flying(keys, now, now, has_changes=True, is_early=True)
            self._early += 1
        return Buckets(number, groups)

    def _next_keys(self, pending: dict[str, dict[str, None]], room: int) -> Keys:
        """Take out the keys of one message."""
        taken: Keys = {}
        while room and pending:
            text, held = next(iter(pending.items()))
            if len(held) <= room:
                taken[text] = list(held)
                del pending[text]
            else:
                taken[text] = list(islice(held, room))
                for key in taken[text]:
                    del held[key]
            room -= len(taken[text])
            self.waiting -= len(taken[text])
        return taken

    def overflow(self) -> None:
        """Forget what waits, and take nothing more: a walk is to begin anew for this node."""
        self._changed.clear()
        self._found.clear()
        self.waiting = 0
        self.overflowed = True

    def landed(self, number: int) -> bool:
        """Called when a message was merged; False for one that we don't know."""
        flying = self._flying.pop(number, None)
        if flying is None:
            return False
        self._early -= flying.is_early
        return True

    def give_back(self, now: int, after: int = 0) -> int:
        """Have messages that got no answer for `after` ns sent again; how many buckets."""
        lost = [number for number, it in self._flying.items() if now - it.sent_at >= after]
        before = self.waiting
        for number in lost:
            flying = self._flying[number]
            self.landed(number)
            waits = self._changed or self._found
            since = min(self._since, flying.since) if waits else flying.since
            for text, keys in flying.keys.items():
                self.add(text, keys, now, found=not flying.has_changes)
            self._since = since
        return self.waiting - before

    def unmerged(self) -> Iterator[tuple[str, str]]:
        """Give all buckets that aren't merged there yet: text of the limit, and key."""
        for pending in (self._changed, self._found):
            for text, held in pending.items():
                yield from ((text, key) for key in held)
        for flying in self._flying.values():
            for text, keys in flying.keys.items():
                yield from ((text, key) for key in keys)

    def lag(self, now: int) -> int:
        """Return how long the oldest change has waited to be merged there, in ns."""
        times = [flying.since for flying in self._flying.values()]
        if self._changed or self._found:
            times.append(self._since)
        return now - min(times, default=now)
