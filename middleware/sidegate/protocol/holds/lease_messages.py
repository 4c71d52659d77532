"""Messages about leases: tokens of a busy key, lent by its owner to an app that spends them. Pure.

They are charged when they are lent, so whoever loses them, or word of them, lets too little
through and never too much.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

MAX_LEASE: Final = 100_000  # µs: what a lease lasts at most, from when it was asked for
MAX_WANTED: Final = 1 << 53  # tokens: what a float of another language still counts
MAX_RETURNED: Final = 512  # rows in a frame: they fit, with the longest keys and limits there are

_Count: TypeAlias = Annotated[int, Meta(ge=0)]

ReturnedRow: TypeAlias = tuple[str, str, _Count, _Count]
"""(key, limits, number, tokens that weren't spent): a lease that is over before its time."""


class Borrow(Struct, array_like=True, frozen=True, gc=False, tag=62):
    """Lend me up to so many tokens of a key. Answered by Lent, within `budget` microseconds."""

    id: int
    hops: _Count
    budget: _Count
    key: str
    limits: str
    wanted: Annotated[int, Meta(ge=1, le=MAX_WANTED)]


class Lent(Struct, array_like=True, frozen=True, gc=False, tag=63):
    """What an owner has lent.

    `tokens` may be spent for `lasts` microseconds, which count from when they were asked for. The
    same isn't asked again for `pause` microseconds. `debts` are as in an answer: those after the
    charge of what was lent, or as they stand.
    """

    id: int
    source: str  # "owner", or NOBODY: it lends nothing now, and checks are asked about as usual
    node: str
    tokens: _Count = 0
    lasts: Annotated[int, Meta(ge=0, le=MAX_LEASE)] = 0
    number: _Count = 0  # by which they are given back; 0 if nothing is lent
    pause: _Count = 0
    debts: Annotated[list[int], Meta(max_length=24)] = []


class Returned(Struct, array_like=True, frozen=True, gc=False, tag=64):
    """These leases are over. Not answered; who is used up is told of too, with 0 tokens."""

    hops: _Count
    rows: Annotated[list[ReturnedRow], Meta(max_length=MAX_RETURNED)]
