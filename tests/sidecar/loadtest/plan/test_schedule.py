"""What is sent when: arrivals, keys, and all streams in one plan."""

from collections import Counter
from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.loadtest.plan.arrivals import Arrivals, moments
from sidegate_sidecar.loadtest.plan.keys import Pick, picks
from sidegate_sidecar.loadtest.plan.scenario import Scenario, Stream
from sidegate_sidecar.loadtest.plan.schedule import requests_of, schedule


def test_even_arrivals_are_at_equal_distances() -> None:
    assert list(moments(Arrivals.EVEN, 4, 1.5, Random(1))) == [0, 0.25, 0.5, 0.75, 1, 1.25]


def test_poisson_arrivals_vary_as_those_of_a_crowd_do() -> None:
    """About as many as asked for, and as spread: gaps deviate by as much as they are long."""
    found = list(moments(Arrivals.POISSON, 100, 100, Random(1)))
    gaps = [after - before for before, after in pairwise(found)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert len(found) == pytest.approx(10_000, rel=0.04)
    assert deviation == pytest.approx(mean, rel=0.05)


@given(st.sampled_from(Arrivals), st.floats(0.1, 50), st.floats(0.1, 20), st.integers())
def test_arrivals_are_in_order_and_in_time(
    arrivals: Arrivals, rate: float, seconds: float, seed: int
) -> None:
    """From 0 to below the end; even ones up to half a distance beyond, to be as many as asked."""
    found = list(moments(arrivals, rate, seconds, Random(seed)))
    assert found == sorted(found)
    assert all(0 <= moment < seconds + 0.5 / rate for moment in found)


def test_keys_take_turns() -> None:
    assert list(islice(picks(Pick.TURN, 3, Random(1)), 7)) == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize(
    ("pick", "shares"),
    [(Pick.RANDOM, [1 / 4, 1 / 4, 1 / 4, 1 / 4]), (Pick.ZIPF, [12 / 25, 6 / 25, 4 / 25, 3 / 25])],
)
def test_keys_are_drawn_by_their_weight(pick: Pick, shares: list[float]) -> None:
    """All alike, or the second half as often as the first, the third a third."""
    counts = Counter(islice(picks(pick, 4, Random(1)), 20_000))
    assert [counts[key] / 20_000 for key in range(4)] == pytest.approx(shares, abs=0.015)


TWO = [Stream("a", rate=2), Stream("b", rate=1, keys=9, start=1.25, seconds=2)]


def test_streams_are_merged_in_the_order_of_time() -> None:
    planned = list(schedule(Scenario(4, TWO), seed=1))
    assert [tuple(one) for one in planned] == [
        *((0, 0, 0), (0.5, 0, 0), (1.0, 0, 0), (1.25, 1, 0), (1.5, 0, 0), (2.0, 0, 0)),
        *((2.25, 1, 1), (2.5, 0, 0), (3.0, 0, 0), (3.5, 0, 0)),
    ]


def test_a_seed_repeats_a_plan_and_another_does_not() -> None:
    """Also when another stream has been added: each has its own randomness."""
    crowd = Stream("crowd", rate=50, keys=1000, pick=Pick.ZIPF, arrivals=Arrivals.POISSON)
    alone, again, other = (
        [(one.at, one.key) for one in schedule(Scenario(4, streams), seed) if one.stream == 0]
        for streams, seed in (([crowd], 7), ([crowd, *TWO], 7), ([crowd], 8))
    )
    assert alone == again != other


@given(st.sampled_from(Arrivals), st.sampled_from(Pick), st.floats(0.5, 50), st.floats(1, 3))
def test_a_longer_plan_begins_with_the_shorter_one(
    arrivals: Arrivals, pick: Pick, rate: float, longer: float
) -> None:
    """So it can be told how long a scenario has to be, from one look ahead."""
    scenario = Scenario(4, [Stream("a", rate=rate, keys=9, pick=pick, arrivals=arrivals)])
    short, long = (
        list(requests_of(one, 0, 7)) for one in (scenario, scenario.scaled(seconds=4 * longer))
    )
    assert long[: len(short)] == short


def test_a_stream_may_arrive_otherwise_than_the_rest() -> None:
    even = Stream("even", rate=2, arrivals=Arrivals.EVEN)
    scenario = Scenario(2, [even, Stream("crowd", rate=2)], arrivals=Arrivals.POISSON)
    planned = list(schedule(scenario, seed=1))
    assert [one.at for one in planned if one.stream == 0] == [0, 0.5, 1, 1.5]
    assert [one.at for one in planned if one.stream == 1] != [0, 0.5, 1, 1.5]
