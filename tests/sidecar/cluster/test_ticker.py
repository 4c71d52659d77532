"""The pulse: when a cluster is told to do what is due, and how it makes way for checks."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import pytest

from sidegate_sidecar.cluster.cluster import Cluster, Stage
from sidegate_sidecar.cluster.ticker import LEAVES, PAUSE, REST, SHORT_SLICE, SLICE, Ticker
from tests.support.in_process.cluster import eventually

NS = 10**9


class Ticking:
    """Stands where a cluster does: notes its ticks, and says when the next one is due."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait
        self.stage = Stage.MEMBER
        self.due = 0.0
        self.asked = 0
        self.asks = False  # does somebody ask between any two ticks?
        self.times: list[float] = []
        self.fault: Exception | None = None
        self.now = 0  # ns
        self.ticked_at = 0
        self.rests = False
        self.upkeeps: list[int] = []
        self.piece = SLICE  # ns that a piece of work takes
        self.pieces: list[int] = []  # in each slice
        self.sync = SimpleNamespace(flush_due=self.flush_due, working=True)

    @property
    def gaps(self) -> list[float]:
        """How long it was from each tick to the next."""
        return [after - before for before, after in pairwise(self.times)]

    def flush_due(self, _now: int) -> int:
        """Return in how many ns changes are to be sent."""
        return int(self.due * NS)

    def tick(self, now: int, has_time: Callable[[], bool]) -> int:
        """Do nothing for as long as there is time, but note it."""
        self.ticked_at = -1 if self.rests else now
        return self.work(now, has_time)

    def work(self, _now: int, has_time: Callable[[], bool]) -> int:
        """As `tick`."""
        self.pieces.append(0)
        while has_time():
            self.pieces[-1] += 1
            self.now += self.piece
        return self._noted()

    def _noted(self) -> int:
        self.times.append(asyncio.get_running_loop().time())
        self.asked += self.asks
        if self.fault is not None:
            raise self.fault
        return int(self.wait * NS)


def pulse_of(ticking: Ticking) -> Ticker:
    return Ticker(cast("Cluster", ticking), lambda: ticking.now, lambda: ticking.asked)


@contextmanager
def started(ticking: Ticking) -> Generator[Ticker]:
    pulse = pulse_of(ticking)
    pulse.start(ticking.upkeeps.append)
    yield pulse
    pulse.stop()


async def turns(count: int) -> None:
    """Let the loop turn so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_beats_when_the_cluster_says() -> None:
    ticking = Ticking(wait=0.01)
    with started(ticking):
        await eventually(lambda: len(ticking.times) >= 5)
    assert min(ticking.gaps) > 0.008


async def test_upkeep_goes_with_ticks_that_do_what_is_due() -> None:
    ticking = Ticking(wait=0.001)
    ticking.rests, ticking.piece = True, NS
    with started(ticking):
        await eventually(lambda: len(ticking.times) >= 3)
        assert ticking.upkeeps == []
        ticking.rests = False
        count = len(ticking.times)
        await eventually(lambda: len(ticking.times) >= count + 3)
    assert len(ticking.upkeeps) == len(ticking.times) - count


async def test_work_pauses_after_each_slice_while_somebody_asks() -> None:
    ticking = Ticking()
    ticking.asks = True
    with started(ticking):
        await eventually(lambda: len(ticking.times) >= 10)
    assert min(ticking.gaps[1:]) > PAUSE / 2


async def test_a_slice_is_as_long_as_it_may_be_and_not_so_many_pieces() -> None:
    ticking = Ticking()
    ticking.piece = SLICE // 3 + 1
    with started(ticking):
        await turns(3)
        ticking.piece = SLICE * 10
        before = len(ticking.pieces)
        await turns(3)
    assert set(ticking.pieces[:before]) == {3}
    assert set(ticking.pieces[before:]) == {1}


async def test_a_slice_is_short_where_somebody_has_asked_since_the_last_one() -> None:
    ticking = Ticking()
    ticking.piece = SHORT_SLICE // 2 + 1
    ticking.stage = Stage.LEAVING  # else it pauses
    with started(ticking):
        await turns(3)
        before = len(ticking.pieces)
        ticking.asked += 1
        await turns(3)
    assert ticking.pieces[before : before + 2] == [2, SLICE // ticking.piece + 1]


async def test_a_check_brings_the_next_slice_forward_once_it_has_rested() -> None:
    """A timer has milliseconds; and behind the answer nobody waits for it."""
    ticking = Ticking()
    ticking.asks = True
    with started(ticking) as pulse:
        await eventually(lambda: pulse.rests)
        count, began = len(ticking.times), ticking.now
        pulse.checked(began + REST * SLICE - 1)
        rested = pulse.rests
        pulse.checked(began + REST * SLICE)
        assert (rested, pulse.rests) == (True, False)
        await turns(1)
        assert len(ticking.times) == count + 1


@pytest.mark.parametrize(
    ("asks", "stage"), [(False, Stage.MEMBER), *((True, stage) for stage in sorted(LEAVES))]
)
async def test_while_nobody_asks_and_when_it_leaves_work_goes_on_at_once(
    asks: bool, stage: Stage
) -> None:
    """Who leaves has to be done in time, and others decide already or soon."""
    ticking = Ticking()
    ticking.asks, ticking.stage = asks, stage
    with started(ticking):
        await turns(100)
    assert len(ticking.times) > 50


async def test_what_changed_is_flushed_when_it_is_due_and_not_with_the_next_tick() -> None:
    ticking = Ticking(wait=3_600.0)
    with started(ticking) as pulse:
        pulse.wake()
        await eventually(lambda: len(ticking.times) == 2)
        ticking.due = 7_200.0
        pulse.wake()  # later than the next tick: no reason to move it
        await turns(20)
        assert len(ticking.times) == 2


async def test_work_that_comes_up_begins_before_the_next_tick() -> None:
    ticking = Ticking(wait=3_600.0)
    with started(ticking) as pulse:
        ticking.sync.working = False
        pulse.hurry()
        await turns(20)
        assert len(ticking.times) == 1
        ticking.sync.working = True
        pulse.hurry()
        await eventually(lambda: len(ticking.times) == 2)


async def test_it_beats_no_more_when_it_is_stopped() -> None:
    ticking = Ticking()
    pulse = pulse_of(ticking)
    pulse.wake()  # not started: nothing to bring forward
    pulse.start()
    await turns(5)
    pulse.stop()
    count = len(ticking.times)
    pulse.wake()
    pulse.hurry()
    await turns(20)
    assert len(ticking.times) == count


async def test_a_fault_is_logged_and_does_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    """A node that answers but backs up nothing any more would be worse than a dead one."""
    ticking = Ticking(wait=0.001)
    ticking.fault = ZeroDivisionError("no such luck")
    with started(ticking):
        ticking.fault = None
        await eventually(lambda: len(ticking.times) >= 3)
    assert "no such luck" in caplog.text
