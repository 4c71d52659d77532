"""Value queues: so much in a turn of the loop and no more, in order, to those who read."""

import asyncio
from collections import Counter

from sidegate.link.parts import Joiner
from sidegate.protocol.cache_messages import (
    PART_BYTES,
    CacheDone,
    CacheMessage,
    CachePart,
    CacheSet,
    CacheState,
    CacheValues,
    size_of,
)
from sidegate_sidecar.cache.fills import Source
from sidegate_sidecar.links.caching.value_queues import GONE, MAX_QUEUED, ValueQueues
from tests.support.in_process.cluster import eventually


def value(size: int, number: int = 1) -> CacheValues:
    """Return an answer with a value of so many bytes."""
    return CacheValues(number, [(0, CacheState.HIT, 5, 0, b"v" * size)])


class Reading:
    """Who reads all, but for those who don't; `turns` are the bytes of each turn of the loop."""

    def __init__(self) -> None:
        self.deaf: set[Source] = set()
        self.got: list[tuple[Source, CacheMessage]] = []
        self.turns: Counter[int] = Counter()
        self._turn = 0
        self._joiners: dict[Source, Joiner] = {}
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._turn += 1
        asyncio.get_running_loop().call_soon(self._next)

    def unsent(self, to: Source) -> int:
        """Return more than any for the deaf."""
        return GONE if to in self.deaf else 0

    def write(self, to: Source, message: CacheMessage) -> None:
        """Take in what is sent."""
        self.turns[self._turn] += size_of(message)
        whole: CacheMessage | None = message
        if isinstance(message, CachePart):
            whole = self._joiners.setdefault(to, Joiner()).add(message)
        if whole is not None:
            self.got.append((to, whole))


async def test_a_turn_has_at_most_so_many_bytes_of_values() -> None:
    """However many want some; so a check waits for one part at the most."""
    reading = Reading()
    queues = ValueQueues(reading)
    for to in range(8):
        queues.post(to, value(1 << 20))
        for number in range(20):
            queues.post(to, value(3_000, number))
    await eventually(lambda: len(reading.got) == 8 * 21)
    assert max(reading.turns.values()) < 2 * PART_BYTES
    assert sum(reading.turns.values()) > 8 << 20
    assert queues.bytes == 0


async def test_what_is_short_goes_at_once() -> None:
    """Unless something is before it: then in order."""
    reading = Reading()
    queues = ValueQueues(reading)
    queues.post("a", CacheDone(1, 1))
    assert reading.got == [("a", CacheDone(1, 1))]
    queues.post("a", value(100_000))
    queues.post("a", CacheDone(2, 1))
    queues.post("b", CacheDone(3, 1))
    assert reading.got[1:] == [("b", CacheDone(3, 1))]
    await eventually(lambda: len(reading.got) == 4)
    assert reading.got[2:] == [("a", value(100_000)), ("a", CacheDone(2, 1))]


async def test_who_does_not_read_holds_nobody_up_and_takes_no_memory() -> None:
    """It is told that values can't be had; others get theirs."""
    reading = Reading()
    queues = ValueQueues(reading)
    reading.deaf.add("a")
    for number in range(12):
        queues.post("a", value(1 << 20, number))
    queues.post("a", CacheSet(1, 0, "n", "k", 0, 1, 0, b"v" * (1 << 20)))
    queues.post("b", value(1 << 20))
    await eventually(lambda: len(reading.got) == 1)
    assert reading.got == [("b", value(1 << 20))]
    assert MAX_QUEUED - (1 << 20) < queues.bytes <= MAX_QUEUED
    assert queues.refused == 6
    reading.deaf.clear()
    await eventually(lambda: len(reading.got) == 13)
    states = [it.rows[0][1] for _, it in reading.got[1:] if isinstance(it, CacheValues)]
    assert states == [CacheState.HIT] * 7 + [CacheState.LOST] * 5


async def test_who_is_gone_is_forgotten() -> None:
    """With all that waits for it, and nothing is sent after the end."""
    reading = Reading()
    queues = ValueQueues(reading)
    reading.deaf.add(1)
    queues.post(1, value(1 << 20))
    queues.drop(1)
    assert queues.bytes == 0
    queues.post(2, value(1 << 20))
    queues.close()
    await asyncio.sleep(0)
    assert reading.got == []
