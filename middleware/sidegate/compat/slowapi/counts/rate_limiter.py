"""How rates are counted under which keys, and what slowapi's users may ask of it directly."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import Limits
from sidegate.client.config import log_once
from sidegate.compat.slowapi.rates import NAMESPACE, parse_many, text_of
from sidegate.errors import Unreachable, shown
from sidegate.http.keys import bucket_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limit
    from sidegate.compat.slowapi.counts.counts import HitCounts
    from sidegate.compat.slowapi.rates import RateLimitItem

FIXED_WINDOW: Final = "fixed-window"
STRATEGIES: Final = (FIXED_WINDOW, "moving-window", "sliding-window-counter")
MAX_REFUSED = 10_000  # keys whose refused hits are counted for `get`; then the older half goes
MAX_SPLITS = 8  # of a key that is asked for by slowapi's text, into who and what
_MAX_SCOPE = 256  # characters; a path is as long as a client likes
_FIXED = (
    "sidegate: windows of slowapi's strategy fixed-window are those of the clock here, in UTC:"
    " 5/minute begins with each minute, not with a client's first request"
)
_OTHER = (
    "sidegate: slowapi's strategy %s is a token bucket here: 5/minute lets 5 pass at once, and then"
    " one every 12 seconds"
)
_PARTS = 5  # of such a key after its namespace, at least
_UNDECIDED = frozenset({Source.OPEN, Source.CLOSED})


class WindowStats(NamedTuple):
    """When there is more (whole seconds since 1970), and how much is left until then."""

    reset_time: int
    remaining: int


class Storage:
    """What `limiter._storage` is: the counts, and the keys that they have there."""

    def __init__(self, counts: HitCounts, prefix: str) -> None:
        self.counts = counts
        self._prefix = prefix
        self._refused: dict[tuple[str, str], tuple[int, int]] = {}  # hits, and until when

    def key(self, args: Sequence[object]) -> str:
        """Return the key of buckets for slowapi's (prefix,) key and scope, "PREFIX/SCOPE:KEY"."""
        *before, identity, scope = map(text_of, args if len(args) > 1 else ("", *args))
        prefix = "/".join(before) or self._prefix
        return bucket_key(f"{quote(prefix, safe='')}/{_short(scope)}", identity)

    def refused(self, key: str, limit: Limit, cost: int, until: int) -> None:
        """Count hits that were refused, as slowapi's fixed windows do, for `get` alone."""
        if len(self._refused) >= MAX_REFUSED:
            for old in list(self._refused)[: MAX_REFUSED // 2]:
                self._refused.pop(old, None)
        before, end = self._refused.pop((key, limit.text), (0, 0))
        self._refused[key, limit.text] = cost + (before if end > time.time() else 0), until

    def get(self, key: str) -> int:
        """Return what was hit under a key of slowapi's, "LIMITER/KEY/SCOPE/5/1/minute".

        Refused hits are those of this process. ValueError for another text.
        """
        namespace, *parts = key.split("/")
        if namespace != NAMESPACE or len(parts) < _PARTS:
            raise ValueError(f"key={shown(key)}: expected LIMITER/KEY/SCOPE/5/1/minute")
        *parts, amount, multiples, unit = parts
        (rate,) = parse_many(f"{amount}/{multiples} {unit}")
        return sum(
            self._hits(ours, {rate.window.text, rate.bucket.text}) for ours in self._splits(parts)
        )

    def _splits(self, parts: Sequence[str]) -> Iterator[str]:
        """Yield the keys that a text may stand for: who and what may both have a "/"."""
        for at in range(1, min(len(parts), MAX_SPLITS)):
            identity, scope = "/".join(parts[:at]), "/".join(parts[at:])
            yield self.key([identity.removeprefix(f"{self._prefix}/"), scope])

    def _hits(self, key: str, texts: set[str]) -> int:
        held = self.counts.peek(key)
        hits = sum(held.get(text, 0) for text in texts)
        for text in texts:
            refused, until = self._refused.get((key, text), (0, 0))
            hits += refused if until > time.time() else 0
        return hits

    def reset(self) -> None:
        """Forget all that was counted under the prefix; of a sidecar, on all nodes.

        Unreachable if the sidecar doesn't answer.
        """
        self._refused = {}
        self.counts.reset(f"{quote(self._prefix, safe='')}/")

    def check(self) -> bool:
        """Tell whether who counts answers."""
        try:
            self.counts.peek(self.key(["check", "check"]))
        except Unreachable:
            return False
        return True


class RateLimiter:
    """What `limiter.limiter` is: counts by a strategy. It waits, so it isn't for event loops."""

    def __init__(self, storage: Storage, strategy: str) -> None:
        self.storage = storage
        self.strategy = strategy

    def limit(self, rate: RateLimitItem) -> Limit:
        """Return the limit that stands for a rate: a window of the clock, or a bucket."""
        return rate.window if self.strategy == FIXED_WINDOW else rate.bucket

    def hit(self, item: RateLimitItem, *identifiers: object, cost: int = 1) -> bool:
        """Charge a hit, if there is room for it."""
        return cost <= item.amount and self._decide(item, identifiers, cost).allowed

    def test(self, item: RateLimitItem, *identifiers: object, cost: int = 1) -> bool:
        """Tell whether a hit would be charged."""
        return cost <= self.get_window_stats(item, *identifiers).remaining

    def get_window_stats(self, item: RateLimitItem, *identifiers: object) -> WindowStats:
        """Return how much is left, and until when; all of it where nobody knows."""
        found = stats_of(self._decide(item, identifiers, 0), 0)
        return found or WindowStats(int(time.time()), item.amount)

    def _decide(self, item: RateLimitItem, identifiers: Sequence[object], cost: int) -> Decision:
        check = self.storage.key(identifiers), together(self.limit(item)), cost
        (decision,) = self.storage.counts.check_all([check])
        assert decision  # of a single check
        return decision


def is_undecided(decisions: Sequence[Decision | None]) -> bool:
    """Tell whether nobody could decide one of them."""
    return any(it is not None and it.source in _UNDECIDED for it in decisions)


def refusing(decision: Decision) -> int:
    """Return which limit of a denial refused: the first that has to be waited for."""
    waits = (at for at in range(len(decision.debts and decision.limits)) if decision.wait_of(at))
    blocked = (at for at, limit in enumerate(decision.limits) if not limit.tokens)
    return next(waits, next(blocked, 0))


def stats_of(decision: Decision, at: int) -> WindowStats | None:
    """Return what is left of limit number `at`; None where nobody knows.

    A node that decides by its share has fewer limits where several became the same by it.
    """
    if decision.source in _UNDECIDED:
        return None
    now, at = time.time(), min(at, len(decision.limits) - 1)
    if not decision.debts:  # one lets nothing pass, now or later
        return WindowStats(math.ceil(now + decision.limits.items[at].window), 0)
    after = decision.retry_of(at) or decision.reset_of(at)
    return WindowStats(math.ceil(round(now + after, 3)), decision.remaining_of(at))


@lru_cache(maxsize=4_096)
def together(*limits: Limit) -> Limits:
    """Return limits that are decided together."""
    return Limits(limits)


def _short(scope: str) -> str:
    """Return a scope as it stands in a key: printable, without ":", and never too long."""
    text = quote(scope, safe="/{}", errors="surrogatepass")
    if len(text) <= _MAX_SCOPE:
        return text
    return f"sha256={hashlib.sha256(text.encode()).hexdigest()[:32]}"


def say_what_differs(strategy: str) -> None:
    """Say once in the log what a strategy is here."""
    log_once(logging.WARNING, _FIXED if strategy == FIXED_WINDOW else _OTHER % strategy)
