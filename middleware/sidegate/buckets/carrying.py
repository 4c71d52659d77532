"""Carrying: what a key has spent of one limit, as the same share of another. Pure.

A limit that changes is another limit, with buckets of its own. Of limits that carry a key has one
set at a time, so where it is found under others these were changed. Then each new limit begins with
the share of its burst that the old one owes, and the buckets of the old one are put by: they owe
what they did, and nobody counts by them. So the two never stand beside each other, also while some
apps ask by the old limits and others by the new ones: each question carries over what was spent
since, one way and back. Nothing is ever taken off what a bucket owes by itself.
"""

from collections.abc import Iterable, Sequence

from sidegate.buckets.limits import Limit


def shares(new: Sequence[Limit], owed: Sequence[tuple[Limit, int]]) -> list[int]:
    """Return the ticks that each new limit owes, by what is owed (ticks) of the old ones.

    A limit comes after the one whose window is the most like its own, if the reverse holds: of
    "10/second; 1000/day" what was spent in a day says nothing about another limit a second.
    """
    olds = [limit for limit, _ in owed]
    return [
        max(
            (_share(debt, old, limit) for old, debt in owed if _are_next(limit, old, new, olds)),
            default=0,
        )
        for limit in new
    ]


def carried_change(ticks: int, old: Limit, new: Limit) -> int:
    """Return by how many ticks a bucket changes if the one that it came after does by so many.

    It is the same share, rounded up. But what is given back takes no longer to refill than it would
    have in the old one: else whoever has a request given back each second, of "5/second" in the
    place of "100/day", gets a fifth of the day for it each time.
    """
    share = _share(ticks, old, new)
    return share if ticks >= 0 else max(share, -(-ticks * new.scale // old.scale))


def nearest(limit: Limit, others: Iterable[Limit]) -> Limit | None:
    """Return the limit whose window is the most like this one's; None if there are no others."""
    return min(others, key=lambda other: _distance(limit, other), default=None)


def _share(debt: int, old: Limit, new: Limit) -> int:
    """Return a debt (ticks) as the same share of another limit, rounded up."""
    return -(-debt * new.capacity // old.capacity)


def _are_next(limit: Limit, old: Limit, new: Sequence[Limit], olds: Sequence[Limit]) -> bool:
    apart = _distance(limit, old)
    return (
        apart == min(_distance(limit, it) for it in olds) == min(_distance(old, it) for it in new)
    )


def _distance(one: Limit, other: Limit) -> float:
    """Return how many times the longer of two windows is the shorter one."""
    return max(one.window, other.window) / min(one.window, other.window)
