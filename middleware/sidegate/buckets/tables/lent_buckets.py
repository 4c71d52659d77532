"""Lent buckets: of which buckets tokens are out, and how full these may be meanwhile. Pure.

While tokens of a bucket are out it must not fill up behind them: what it holds and what is out are
together one burst at the most. So it is made to owe what is out at the moment when the last lease
is over (its floor). That is a number like any other, which copies and heirs of the bucket have too,
and no timer is needed. Within the window of a quota nothing comes back, so it has no floor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.buckets.limits import Limit


class LentBucket:
    """One bucket: tokens that are out, until when (ns), and whether they may still come back.

    They may not where more has become of the bucket than charges and refunds of its own: another
    node has told of it, it was reset, or forgotten. It lends nothing then until all are back or
    lapsed.
    """

    __slots__ = ("is_sound", "limit", "tokens", "until")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit.whole
        self.tokens = self.until = 0
        self.is_sound = True

    def floor(self, limit: Limit, now: int) -> int:
        """Return the ticks of a limit that a bucket of it owes at least, if it has these out.

        Of another limit, which has taken the place of this one, it is the same share.
        """
        if limit.period is not None or now >= self.until:
            return 0
        ours = self.limit
        out = -(-self.tokens * ours.interval * limit.whole.capacity // ours.capacity)
        return (self.until - now) * limit.scale + out


class LentBuckets:
    """The buckets of one table of which tokens are out, by text of the limit and by key."""

    __slots__ = ("_by_text",)

    def __init__(self) -> None:
        self._by_text: dict[str, dict[str, LentBucket]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_text)

    def get(self, text: str, key: str) -> LentBucket | None:
        """Return a bucket, None if none of it is out."""
        of_text = self._by_text.get(text)
        return None if of_text is None else of_text.get(key)

    def lend(self, key: str, limit: Limit, tokens: int, until: int) -> None:
        """Note that tokens are out until then."""
        of_text = self._by_text.setdefault(limit.text, {})
        bucket = of_text.get(key)
        if bucket is None:
            bucket = of_text[key] = LentBucket(limit)
        bucket.tokens += tokens
        bucket.until = max(bucket.until, until)

    def settle(self, key: str, limit: Limit, tokens: int) -> None:
        """Note that so many aren't out any more."""
        of_text = self._by_text[limit.text]
        bucket = of_text[key]
        bucket.tokens -= tokens
        if not bucket.tokens:
            del of_text[key]
            if not of_text:
                del self._by_text[limit.text]

    def disturb(self, text: str, keys: Iterable[str]) -> None:
        """Called when something else has become of buckets."""
        of_text = self._by_text.get(text)
        if of_text is None or of_text.keys().isdisjoint(keys):
            return
        for key in of_text.keys() & set(keys):
            of_text[key].is_sound = False

    def carried_floor(self, key: str, limit: Limit, olds: Sequence[Limit], now: int) -> int:
        """Return the ticks that a bucket owes at least which takes the place of these."""
        buckets = (self.get(old.text, key) for old in olds)
        return max((it.floor(limit, now) for it in buckets if it is not None), default=0)
