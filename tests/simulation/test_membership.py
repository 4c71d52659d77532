"""Membership on a network: who comes is seen, who dies is missed, and who pauses is forgiven.

Each test runs its scenario with a few seeds; `make simulate` runs the same with many.
"""

from collections.abc import Callable
from functools import partial

import pytest

from sidegate_ring.membership.membership import Timing
from sidegate_ring.membership.parameters import least_suspicion
from tests.simulation.network import Faults
from tests.simulation.scenarios.agents import Cluster
from tests.simulation.scenarios.membership import (
    crash_takes,
    false_deaths,
    leaver_stays_away,
    longest_detection,
    messages_a_second,
    pause_blames_nobody,
    pause_is_forgiven,
    percentile,
    restart_is_welcome,
    split_heals,
    star_converges,
    storm_ends,
)

T = Timing()
ROUGH = Faults(delay=0.02, jitter=0.05, loss=0.05, duplication=0.05)

# What is to happen soon: who says how long it takes, seconds at most, and seeds by size.
SOON: list[tuple[str, Callable[[int, int], float], float, dict[int, int]]] = [
    ("all know all", star_converges, 5.0, {2: 20, 3: 20, 10: 10, 50: 1}),
    ("on a bad network too", partial(star_converges, faults=ROUGH), 10.0, {3: 10, 10: 5}),
    ("blames nobody", partial(pause_blames_nobody, seconds=20.0), 2.0, {2: 20, 3: 20, 10: 5}),
    ("two halves are one", split_heals, 5.0, {2: 20, 3: 20, 5: 10, 10: 3}),
    ("after a storm", partial(storm_ends, seconds=30.0), 5.0, {2: 10, 3: 10, 5: 5, 10: 3}),
    *(
        (
            f"back after {after} s",
            partial(restart_is_welcome, after=after),
            1.0,
            {2: 5, 3: 5, 10: 5},
        )
        for after in (0.0, 1.0, 10.0)
    ),
]


@pytest.mark.parametrize(
    ("n", "seeds", "takes", "most"),
    [
        pytest.param(n, seeds, takes, most, id=f"{title}, {n} nodes")
        for title, takes, most, sizes in SOON
        for n, seeds in sizes.items()
    ],
)
def test_all_is_well_soon(
    n: int, seeds: int, takes: Callable[[int, int], float], most: float
) -> None:
    """Who knows one node knows all, who paused or crashed is back, and a split ring is whole."""
    for seed in range(seeds):
        assert takes(seed, n) <= most, f"seed {seed}"


@pytest.mark.parametrize("hangs", [False, True], ids=["crash", "hang"])
@pytest.mark.parametrize(("n", "seeds"), [(2, 50), (3, 50), (10, 20), (50, 2)])
def test_a_dead_node_is_missed_by_all_in_time(n: int, seeds: int, *, hangs: bool) -> None:
    """Within the time that `longest_detection` states, which crash_takes checks."""
    times = [time for seed in range(seeds) for time in crash_takes(seed, n, hangs=hangs)]
    least, most = least_suspicion(T, n - 1), longest_detection(T, n, hangs=hangs)
    print(  # noqa: T201 - what was measured, for whoever asks with -s
        f"{n} nodes: dead after p50 {percentile(times, 0.5):.2f} s,"
        f" p99 {percentile(times, 0.99):.2f} s; at most {most:.2f} s are allowed"
    )
    assert min(times) >= least


@pytest.mark.parametrize(("n", "seeds"), [(2, 100), (3, 100), (10, 30), (50, 1)])
def test_a_pause_shorter_than_the_suspicion_is_forgiven(n: int, seeds: int) -> None:
    for seed in range(seeds):
        pause_is_forgiven(seed, n, least_suspicion(T, n) - 0.1)


@pytest.mark.parametrize(("n", "seeds", "seconds"), [(2, 5, 60), (3, 5, 60), (10, 2, 60)])
def test_nobody_dies_of_lost_messages(n: int, seeds: int, seconds: float) -> None:
    deaths = sum(false_deaths(seed, n, 0.05, seconds) for seed in range(seeds))
    assert deaths == 0, f"{deaths} in seeds 0 to {seeds - 1}"


@pytest.mark.parametrize(("n", "seeds"), [(3, 10), (10, 3)])
@pytest.mark.parametrize("faults", [Faults(), ROUGH], ids=["good", "rough"])
def test_who_has_left_comes_back_by_no_rumor(n: int, seeds: int, faults: Faults) -> None:
    for seed in range(seeds):
        leaver_stays_away(seed, n, faults)


def test_what_a_node_sends_does_not_grow_with_the_cluster() -> None:
    rates = {n: messages_a_second(1, n, seconds) for n, seconds in [(10, 30), (100, 5), (500, 3)]}
    print(rates)  # noqa: T201 - as above
    assert rates[100] <= rates[10] * 1.2
    assert rates[500] <= rates[10] * 1.2


def test_the_same_seed_is_the_same_cluster() -> None:
    def trace(seed: int) -> str:
        cluster = Cluster(seed, ROUGH, traced=True)
        cluster.star(5)
        cluster.settle(10.0)
        cluster.crash("n2")
        cluster.network.run(10.0)
        return cluster.network.trace

    assert trace(3) == trace(3) != trace(4)
