"""What the tests of the middlewares share: clients that decide here, and a reader of fields."""

import asyncio
from typing import cast

import http_sf

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits


class BlockingChecker:
    """Decides at once, as `source` would, with real buckets and a clock that stands still."""

    def __init__(self, source: Source = Source.OWNER) -> None:
        self.buckets = BucketTable()
        self.now = 10**12
        self.source = source
        self.asked: list[tuple[str, str, int]] = []

    def check(self, key: str, limits: Limits, cost: int) -> Decision:
        self.asked.append((key, limits.text, cost))
        if self.source in {Source.OPEN, Source.CLOSED}:
            return Decision(self.source is Source.OPEN, limits, cost, (), self.source)
        allowed, debts = self.buckets.take(key, limits, cost, self.now)
        return Decision(allowed, limits, cost, debts, self.source, "n1")


class Checker:
    """The same for asyncio."""

    def __init__(self, source: Source = Source.OWNER) -> None:
        self.blocking = BlockingChecker(source)

    @property
    def asked(self) -> list[tuple[str, str, int]]:
        return self.blocking.asked

    def check(self, key: str, limits: Limits, cost: int) -> asyncio.Future[Decision]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(self.blocking.check(key, limits, cost))
        return future


def items(field: bytes | str) -> dict[str, dict[str, int]]:
    """Read `RateLimit` or `RateLimit-Policy` with a parser of RFC 9651: parameters by name."""
    value = field.encode("ascii") if isinstance(field, str) else field
    parsed = cast("list[tuple[str, dict[str, int]]]", http_sf.parse(value, tltype="list"))
    assert all(type(name) is str for name, _ in parsed)
    assert len(dict(parsed)) == len(parsed)
    return dict(parsed)
