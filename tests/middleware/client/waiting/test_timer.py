"""One timer for many moments: it calls what is due, in order, and holds nothing that isn't."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable
from random import Random

import pytest

from sidegate.client.waiting.timer import Timer
from tests.support.in_process.cluster import eventually


@pytest.fixture
async def timer() -> Timer:
    return Timer(asyncio.get_running_loop())


async def test_what_is_due_is_called_in_order(timer: Timer) -> None:
    called: list[int] = []

    def calls(number: int) -> Callable[[], object]:
        return lambda: called.append(number)

    now = time.monotonic()
    for number in (3, 1, 4, 0, 2):
        timer.at(now + number / 1000, calls(number))
    await eventually(lambda: len(called) == 5)
    assert called == [0, 1, 2, 3, 4]
    assert (timer.heap, timer.handle) == ([], None)


async def test_an_earlier_moment_moves_the_timer(timer: Timer) -> None:
    called: list[str] = []
    late = timer.at(time.monotonic() + 3600, lambda: called.append("late"))
    timer.at(time.monotonic(), lambda: called.append("soon"))
    await eventually(lambda: called)
    assert called == ["soon"]
    timer.forget(late)
    assert (timer.heap, timer.handle) == ([], None)


async def test_what_is_forgotten_is_let_go_of_at_once(timer: Timer) -> None:
    class Called:
        def __call__(self) -> None:
            raise AssertionError

    timer.at(time.monotonic() + 1800, int)
    call = Called()
    alarm, seen = timer.at(time.monotonic() + 3600, call), weakref.ref(call)
    timer.forget(alarm)
    timer.forget(alarm)
    del call
    gc.collect()
    assert seen() is None


async def test_the_forgotten_are_never_more_than_half(timer: Timer) -> None:
    random, now = Random(7), time.monotonic()
    alive = [timer.at(now + 3600 + random.random(), int) for _ in range(1000)]
    while alive:
        timer.forget(alive.pop(random.randrange(len(alive))))
        assert len(timer.heap) <= 2 * len(alive) + 40
        assert (timer.handle is None) == (not alive)
    assert timer.heap == []
