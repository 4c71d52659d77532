"""The breaker: one failure is one pause, one caller probes, and pauses grow to half a second."""

from __future__ import annotations

import threading

import pytest

from sidegate.client.unreachable.breaker import FIRST_PAUSE, LONGEST_PAUSE, Breaker, Entry


def longest(_low: float, high: float) -> float:
    return high


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(longest)
    breaker.failed(breaker.enter(now), now)
    return breaker


def test_closed() -> None:
    """Nobody is refused while all goes well."""
    breaker = Breaker(longest)
    for now in range(3):
        assert breaker.enter(now) is Entry.FREE
        breaker.succeeded()


def test_open() -> None:
    """After a failure all are refused until the pause is over."""
    breaker = opened()
    assert breaker.enter(0) is Entry.REFUSED
    assert breaker.enter(FIRST_PAUSE * 0.99) is Entry.REFUSED
    assert breaker.enter(FIRST_PAUSE) is Entry.PROBE


def test_one_probes() -> None:
    """While one probes the others are refused, however long it takes."""
    breaker = opened()
    assert breaker.enter(1) is Entry.PROBE
    assert [breaker.enter(100) for _ in range(3)] == [Entry.REFUSED] * 3
    breaker.succeeded()
    assert breaker.enter(100) is Entry.FREE


def test_one_of_many_threads_probes() -> None:
    """Of threads that come at the same moment exactly one is let through."""
    breaker, start = opened(), threading.Barrier(16)
    entries: list[Entry] = []

    def come() -> None:
        start.wait()
        entries.append(breaker.enter(1))

    threads = [threading.Thread(target=come) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.name for entry in entries) == ["PROBE", *["REFUSED"] * 15]


def test_pauses_double() -> None:
    """Each probe that fails doubles the pause, up to half a second."""
    breaker, now = opened(), 0.0
    pauses: list[float] = []
    for _ in range(6):
        start = now
        while breaker.enter(now) is Entry.REFUSED:
            now += 0.001
        pauses.append(now - start)
        breaker.failed(Entry.PROBE, now)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.5, 0.5], abs=0.002)


def test_success_starts_anew() -> None:
    """After a success the next failure costs the first pause again."""
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


def test_late_success() -> None:
    """One that was under way and succeeds shows that the sidecar is there."""
    breaker = opened()
    breaker.succeeded()
    assert breaker.enter(0) is Entry.FREE


def test_abandoned_probe() -> None:
    """A probe that is killed lets the next caller probe at once, and says nothing else."""
    breaker = opened()
    breaker.abandoned(breaker.enter(1))
    assert breaker.enter(1) is Entry.PROBE


def test_abandoned_otherwise() -> None:
    """Anybody else that is killed changes nothing."""
    breaker = Breaker(longest)
    breaker.abandoned(breaker.enter(0))
    assert breaker.enter(0) is Entry.FREE
    breaker = opened()
    breaker.enter(1)
    breaker.abandoned(Entry.FREE)
    assert breaker.enter(1) is Entry.REFUSED


def test_jitter() -> None:
    """A pause lies between half of it and all of it, as the jitter says."""
    asked: list[tuple[float, float]] = []

    def shortest(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    breaker = Breaker(shortest)
    breaker.failed(breaker.enter(0), 0)
    assert breaker.enter(FIRST_PAUSE / 2) is Entry.PROBE
    assert asked == [(FIRST_PAUSE / 2, FIRST_PAUSE)]
    assert LONGEST_PAUSE == 0.5
