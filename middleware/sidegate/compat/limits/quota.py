"""What a key of theirs says of its limit: "LIMITER/127.0.0.1/view/10/1/minute" is 10 a minute."""

from __future__ import annotations

from typing import NamedTuple

from limits.limits import GRANULARITIES

from sidegate.errors import shown


class Quota(NamedTuple):
    """So many tokens in so many seconds: a month has 30 days, and a year 360, as theirs have."""

    amount: int
    seconds: int


def quota_of(key: str) -> Quota:
    """Return the limit in a key that `RateLimitItem.key_for` has made; ValueError for another.

    A storage of theirs isn't told it when it is to count.
    """
    parts = key.rsplit("/", 3)
    if len(parts) == 4 and (item := GRANULARITIES.get(parts[3])):
        amount, multiples = parts[1:3]
        if amount.isdecimal() and multiples.isdecimal():
            return Quota(int(amount), item.GRANULARITY.seconds * int(multiples))
    raise ValueError(
        f"key={shown(key)}: expected one that RateLimitItem.key_for has made,"
        " such as LIMITER/127.0.0.1/10/1/minute"
    )
