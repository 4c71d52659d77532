"""Slices: work that somebody asked for leaves turns of the loop to checks."""

import asyncio
from collections.abc import Generator
from time import perf_counter

from sidegate_sidecar.links.reporting.slices import MOST, SlicedWork


async def test_of_all_that_is_asked_for_one_is_done_at_a_time() -> None:
    under_way: set[int] = set()
    most = 0

    def work(number: int) -> Generator[None, None, int]:
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        until = perf_counter() + 3 * MOST
        while perf_counter() < until:
            yield
        under_way.remove(number)
        return number

    sliced = SlicedWork()
    done = await asyncio.gather(*(sliced.done(work(at)) for at in range(20)))
    assert (done, most) == (list(range(20)), 1)
