"""Pick: which of its keys each request of a stream uses. Pure."""

from __future__ import annotations

from enum import StrEnum
from itertools import accumulate, cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


class Pick(StrEnum):
    """How keys are picked."""

    TURN = "turn"  # one after the other, so each at the same rate
    RANDOM = "random"  # all equally likely
    ZIPF = "zipf"  # the second key half as likely as the first, the third a third, …


def picks(pick: Pick, keys: int, random: Random) -> Iterator[int]:
    """Yield numbers of keys, from 0 to below `keys`, without an end."""
    if pick is Pick.TURN:
        yield from cycle(range(keys))
    if pick is Pick.RANDOM:
        while True:
            yield random.randrange(keys)
    weights = list(accumulate(1 / number for number in range(1, keys + 1)))
    everyone = range(keys)
    while True:
        yield random.choices(everyone, cum_weights=weights)[0]
