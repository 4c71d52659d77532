"""Queues without a clock: who asks when, and who is told that it will be too late."""

import pickle
import re
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.client.waiting.wait_queue import (
    FIRST_PAUSE,
    MAX_JITTER,
    MAX_PAUSE,
    Waiter,
    WaitQueue,
    WaitQueues,
    deadline_of,
)
from sidegate.errors import SidegateError, WaitTooLong

LIMITS = parse_limits("1/second burst 10")


def decided(allowed: bool, debt: float, cost: int = 1, source: Source = Source.OWNER) -> Decision:
    """Return a decision after which the bucket has a debt of so many seconds."""
    return Decision(allowed, LIMITS, cost, [round(debt * SECOND)], source)


CLOSED = Decision(False, LIMITS, 1, [], Source.CLOSED)
OPEN = Decision(True, LIMITS, 1, [], Source.OPEN)


class Scene:
    """The waiters of one key, and who was woken."""

    def __init__(self) -> None:
        self.queues = WaitQueues()
        self.woken: list[str] = []

    def join(self, name: str, cost: int = 1, deadline: float = inf) -> Waiter:
        """Have somebody come, who is woken by this name."""
        waiter = Waiter(cost, deadline, self._wakes(name))
        self.queues.join("k", LIMITS, waiter)
        return waiter

    def _wakes(self, name: str) -> Callable[[], None]:
        return lambda: self.woken.append(name)

    @property
    def queue(self) -> WaitQueue:
        """Return the queue in which all stand."""
        (queue,) = self.queues.table.values()
        return queue

    def told(self, decision: Decision, now: float, chance: float = 0.0) -> None:
        """Tell the queue what was decided."""
        self.queue.told(decision, now, chance, self.queue.version)


def test_only_the_first_asks() -> None:
    scene = Scene()
    first, second, third = scene.join("1"), scene.join("2", deadline=9.0), scene.join("3")
    assert scene.queue.next_step(first, 1.0) <= 1.0
    assert scene.queue.next_step(second, 1.0) == 9.0
    assert scene.queue.next_step(third, 1.0) == inf


def test_behind_one_who_was_served_by_a_lease_the_next_asks_whatever_the_owner_owed() -> None:
    """The owner may have lent all that it had: then it is in the lease."""
    scene = Scene()
    first = scene.join("1")
    second = scene.join("2", deadline=1.2)
    scene.told(decided(allowed=True, debt=10.0, source=Source.LEASE), now=1.0)
    scene.queues.leave(scene.queue, first)
    assert scene.queue.next_step(second, 1.0) <= 1.0


def test_it_asks_again_when_its_wait_is_over() -> None:
    scene = Scene()
    first = scene.join("1")
    scene.told(decided(False, 12.0), 100.0)
    assert scene.queue.next_step(first, 100.0) == pytest.approx(103.0)


def test_an_allowed_check_tells_when_the_next_can_pass_by_its_own_cost() -> None:
    scene = Scene()
    first, second = scene.join("1"), scene.join("2", cost=4)
    scene.told(decided(True, 9.0), 100.0)
    scene.queues.leave(scene.queue, first)
    assert scene.woken == ["2"]
    assert scene.queue.next_step(second, 100.0) == pytest.approx(103.0)


@pytest.mark.parametrize("wait", [0.01, 1.0, 1000.0])
def test_jitter_is_added_and_small(wait: float) -> None:
    scene = Scene()
    first = scene.join("1")
    for chance in (0.0, 0.5, 1.0):
        scene.told(decided(False, 9.0 + wait), 100.0, chance)
        added = scene.queue.next_step(first, 100.0) - (100.0 + wait)
        assert added == pytest.approx(chance * min(wait / 20, MAX_JITTER), abs=1e-6)


def test_jitter_makes_nobody_late() -> None:
    scene = Scene()
    first = scene.join("1", deadline=101.001)
    scene.told(decided(False, 10.0), 100.0, 1.0)
    assert scene.queue.next_step(first, 100.0) == 101.001


def test_what_will_be_too_late_is_told_at_once() -> None:
    scene = Scene()
    first, other = scene.join("1", deadline=102.0), scene.join("2", cost=3, deadline=104.0)
    scene.told(decided(False, 12.0), 100.0)
    with pytest.raises(WaitTooLong) as told:
        scene.queue.next_step(first, 100.0)
    assert (told.value.key, told.value.limits) == ("k", LIMITS.text)
    assert told.value.retry_after == pytest.approx(3.0)
    with pytest.raises(WaitTooLong, match="5 s more"):
        scene.queue.next_step(other, 100.0)


def test_who_stands_behind_until_the_deadline_is_told_so() -> None:
    scene = Scene()
    scene.join("1")
    behind = scene.join("2", deadline=5.0)
    with pytest.raises(WaitTooLong, match="until its timeout"):
        scene.queue.next_step(behind, 5.0)


def test_a_timeout_of_0_asks_once() -> None:
    scene = Scene()
    first = scene.join("1", deadline=5.0)
    assert scene.queue.next_step(first, 5.1) <= 5.0
    scene.told(CLOSED, 5.2)
    with pytest.raises(WaitTooLong):
        scene.queue.next_step(first, 5.2)


def test_pauses_without_a_decision_grow_to_a_bound() -> None:
    scene = Scene()
    first = scene.join("1")
    pauses: list[float] = []
    for _ in range(1100):  # 2 ** 1100 is no float
        scene.told(CLOSED, 100.0)
        pauses.append(scene.queue.next_step(first, 100.0) - 100.0)
    assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE])
    assert pauses[-1] == MAX_PAUSE
    scene.told(CLOSED, 100.0, 1.0)
    assert scene.queue.next_step(first, 100.0) == 100.0 + MAX_PAUSE * 1.5
    scene.told(decided(False, 10.0), 100.0)
    scene.told(CLOSED, 100.0)
    assert scene.queue.next_step(first, 100.0) == pytest.approx(100.0 + FIRST_PAUSE)


def test_a_denial_that_tells_no_wait_is_no_reason_to_ask_at_once() -> None:
    scene = Scene()
    first = scene.join("1")
    scene.told(decided(False, 0.0), 100.0)
    assert scene.queue.next_step(first, 100.0) == pytest.approx(100.0 + FIRST_PAUSE)


def test_a_pause_ends_with_the_timeout() -> None:
    scene = Scene()
    first = scene.join("1", deadline=100.01)
    scene.told(CLOSED, 100.0)
    assert scene.queue.next_step(first, 100.0) == 100.01
    with pytest.raises(WaitTooLong):
        scene.queue.next_step(first, 100.02)


def test_after_an_open_decision_the_next_asks_at_once() -> None:
    scene = Scene()
    first, second = scene.join("1"), scene.join("2")
    scene.told(OPEN, 100.0)
    scene.queues.leave(scene.queue, first)
    assert scene.queue.next_step(second, 100.0) <= 100.0


def test_the_next_takes_the_place_of_who_leaves_and_keeps_what_is_known() -> None:
    scene = Scene()
    first, second, third = (scene.join(name) for name in "123")
    scene.told(decided(False, 12.0), 100.0)
    scene.queues.leave(scene.queue, second)
    assert scene.woken == []
    scene.queues.leave(scene.queue, first)
    assert scene.woken == ["3"]
    assert scene.queue.next_step(third, 101.0) == pytest.approx(103.0)


def test_a_queue_without_waiters_is_forgotten() -> None:
    scene = Scene()
    first, second = scene.join("1"), scene.join("2")
    for waiter in (second, first):
        scene.queues.leave(scene.queue, waiter)
    assert scene.queues.table == {}


def test_what_is_forgotten_is_asked_again_also_if_a_check_is_under_way() -> None:
    scene = Scene()
    first = scene.join("1")
    scene.join("2")
    before = scene.queue.version
    scene.told(decided(False, 12.0), 100.0)
    scene.queues.forget(begins=True)
    assert scene.woken == ["1"]
    scene.queue.told(decided(False, 12.0), 100.0, 0.0, before)
    assert scene.queue.next_step(first, 100.0) <= 100.0


@pytest.mark.parametrize("timeout", [-1, nan, "1", True, [], -inf])
def test_a_timeout_is_a_number_of_seconds(timeout: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(f"timeout={timeout!r}: expected seconds")):
        deadline_of(timeout, 100.0)


def test_a_deadline_is_in_the_future() -> None:
    assert [deadline_of(it, 100.0) for it in (None, 0, 1.5, inf)] == [inf, 100.0, 101.5, inf]


def test_the_error_is_one_of_ours_and_a_timeout_and_can_be_pickled() -> None:
    error = WaitTooLong("k", "1/second", 1.5)
    assert isinstance(error, SidegateError)
    assert isinstance(error, TimeoutError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
