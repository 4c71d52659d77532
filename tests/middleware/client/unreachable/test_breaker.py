"""The breaker: one failure is one pause, one caller probes, and pauses grow to half a second."""

import pytest

from sidegate.client.unreachable.breaker import FIRST_PAUSE, LONGEST_PAUSE, Breaker, Entry
from tests.support.waiting import in_threads


def longest(_low: float, high: float) -> float:
    return high


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(longest)
    breaker.failed(breaker.enter(now), now)
    return breaker


def test_nobody_is_refused_while_all_goes_well() -> None:
    breaker = Breaker(longest)
    for now in range(3):
        assert breaker.enter(now) is Entry.FREE
        breaker.succeeded()


def test_after_a_failure_all_are_refused_until_the_pause_is_over() -> None:
    breaker = opened()
    assert breaker.enter(0) is Entry.REFUSED
    assert breaker.enter(FIRST_PAUSE * 0.99) is Entry.REFUSED
    assert breaker.enter(FIRST_PAUSE) is Entry.PROBE


def test_while_one_probes_the_others_are_refused() -> None:
    breaker = opened()
    assert breaker.enter(1) is Entry.PROBE
    assert [breaker.enter(100) for _ in range(3)] == [Entry.REFUSED] * 3
    breaker.succeeded()
    assert breaker.enter(100) is Entry.FREE


def test_one_of_many_threads_probes() -> None:
    breaker = opened()
    entries = in_threads(16, lambda _: breaker.enter(1))
    assert sorted(entry.name for entry in entries) == ["PROBE", *["REFUSED"] * 15]


def test_each_probe_that_fails_doubles_the_pause_up_to_half_a_second() -> None:
    breaker, now = opened(), 0.0
    pauses: list[float] = []
    for _ in range(6):
        start = now
        while breaker.enter(now) is Entry.REFUSED:
            now += 0.001
        pauses.append(now - start)
        breaker.failed(Entry.PROBE, now)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.5, 0.5], abs=0.002)


def test_after_a_success_the_next_failure_costs_the_first_pause() -> None:
    breaker = opened()
    for now in (1, 2, 3):
        breaker.failed(breaker.enter(now), now)
    assert breaker.enter(4) is Entry.PROBE
    breaker.succeeded()
    breaker.failed(breaker.enter(5), 5)
    assert breaker.enter(5 + FIRST_PAUSE) is Entry.PROBE


def test_failures_at_the_same_time_are_one() -> None:
    """Callers that were under way when the first one failed make the pause no longer."""
    breaker = Breaker(longest)
    entries = [breaker.enter(0) for _ in range(16)]
    for entry in entries:
        breaker.failed(entry, 0)
    assert breaker.enter(FIRST_PAUSE) is Entry.PROBE
    breaker.failed(Entry.FREE, FIRST_PAUSE)  # a straggler: the probe is still alone
    assert breaker.enter(10) is Entry.REFUSED


def test_one_under_way_that_succeeds_shows_that_the_sidecar_is_there() -> None:
    breaker = opened()
    breaker.succeeded()
    assert breaker.enter(0) is Entry.FREE


def test_a_probe_that_is_killed_lets_the_next_caller_probe_at_once() -> None:
    breaker = opened()
    breaker.abandoned(breaker.enter(1))
    assert breaker.enter(1) is Entry.PROBE


def test_anybody_else_that_is_killed_changes_nothing() -> None:
    breaker = Breaker(longest)
    breaker.abandoned(breaker.enter(0))
    assert breaker.enter(0) is Entry.FREE
    breaker = opened()
    breaker.enter(1)
    breaker.abandoned(Entry.FREE)
    assert breaker.enter(1) is Entry.REFUSED


def test_a_pause_lies_between_half_of_it_and_all_of_it() -> None:
    asked: list[tuple[float, float]] = []

    def shortest(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    breaker = Breaker(shortest)
    breaker.failed(breaker.enter(0), 0)
    assert breaker.enter(FIRST_PAUSE / 2) is Entry.PROBE
    assert asked == [(FIRST_PAUSE / 2, FIRST_PAUSE)]
    assert LONGEST_PAUSE == 0.5
