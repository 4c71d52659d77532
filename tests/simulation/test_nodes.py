"""Whole nodes through deploys, crashes, standstills and splits: nothing counts more than promised.

`make simulate` runs the same scenarios with thousands of seeds. A failure names its seed.
"""

from collections.abc import Callable

import pytest

from sidegate_ring.membership.membership import Timing
from sidegate_ring.membership.parameters import least_suspicion
from sidegate_sidecar.replication.copies import FEW
from tests.simulation.scenarios.deploys import deploy
from tests.simulation.scenarios.fleets.cold import ColdStart, cold_start
from tests.simulation.scenarios.fleets.large import form, large
from tests.simulation.scenarios.fleets.leaves import fleet
from tests.simulation.scenarios.holds.slots import slots_move
from tests.simulation.scenarios.outages import crash
from tests.simulation.scenarios.small import SMALL, SPLITS
from tests.simulation.world import World

SEEDS = range(12)


@pytest.mark.parametrize("scenario", SPLITS, ids=lambda it: it.__name__)
def test_bounds_of_splits_hold(scenario: Callable[[int], object]) -> None:
    """One seed each, for they last: `make simulate` has the others."""
    scenario(3)


@pytest.mark.parametrize(
    "scenario", [it for it in SMALL if it not in SPLITS], ids=lambda it: it.__name__
)
def test_bounds_hold(scenario: Callable[[int], object]) -> None:
    """Each scenario ends as it should, with what was admitted inside its bound."""
    for seed in SEEDS:
        scenario(seed)


@pytest.mark.parametrize(("scenario", "seed"), [(slots_move, 21_194)])
def test_what_a_seed_once_found_stays_mended(scenario: Callable[[int], object], seed: int) -> None:
    """A slot that the former owner might have been giving was taken for given when it went."""
    scenario(seed)


def test_the_same_seed_makes_the_same_run() -> None:
    """What a seed did it does again, so that a failure can be looked at."""
    runs = [crash(7) for _ in range(2)]
    assert runs[0].admitted
    assert runs[0].admitted == runs[1].admitted
    assert runs[0].network.sent == runs[1].network.sent


def test_a_deploy_under_load_is_exact_too() -> None:
    """While other keys are busy, those that were half spent are neither lost nor doubled."""
    for seed in SEEDS:
        deploy(seed, busy=True)


@pytest.mark.parametrize("nodes", [10, 100])
def test_a_cluster_says_no_more_when_it_grows(nodes: int) -> None:
    """Each node sends four messages a second, and all take a crashed one off the ring in time."""
    size = large(1, nodes)
    assert size.messages < 5
    assert len(size.noticed) == nodes - 1
    timing = Timing()
    most = least_suspicion(timing, nodes) * timing.suspicion_most + 4 * timing.probe_every
    assert size.noticed[-1] < most


@pytest.mark.parametrize("leaves", [6, 12])
def test_a_leaf_says_no_more_in_a_larger_fleet(leaves: int) -> None:
    """Two messages a second, to owners only; and a leaf and an owner are missed as soon."""
    size = fleet(1, 3, leaves)
    assert size.of_leaf < 2.5
    assert size.of_owner < 5 + 2 * leaves
    assert size.links == 2  # one of three has crashed
    assert size.to_leaves < 2.5
    assert size.leaf_crash[-1] < 3.0
    assert size.leaf_stall[-1] < 4.5
    assert len(size.owner_crash) == leaves - 2
    assert size.owner_crash[-1] < 3.0


def test_a_large_cluster_forms_without_each_asking_each() -> None:
    """So many whole lists at the same time took 13 GB at 500 nodes.

    What each does ask each is a word: that it has been sent everything, answered by a word.
    """
    world = World(0)
    form(world, [f"n{at}" for at in range(60)])
    world.run(2.0)
    assert sum(world.network.sent.values()) < 60 * 59 * 2 + 60 * 20


def told(start: ColdStart) -> None:
    print(start)  # noqa: T201 - what was measured, for whoever asks with -s


@pytest.mark.parametrize("nodes", [30, 50])
def test_a_cluster_that_starts_at_once_says_no_more_than_some_words_for_each_pair(
    nodes: int,
) -> None:
    """Six words to each other node, and everything to a few: whatever rings it passes through."""
    start = cold_start(1, nodes)
    told(start)
    assert start.rings > nodes / 2
    assert start.exchanges <= max(8, 2 + nodes.bit_length())
    at_first = FEW * (FEW + 2) // 2  # on each ring that is small still
    assert start.confirms < 1.2 * nodes + at_first
    assert start.messages < 7 * nodes + at_first
    assert start.seconds < 0.5


def test_a_cluster_whose_nodes_start_one_by_one_says_no_more_either() -> None:
    start = cold_start(1, 25, spread=2.0)
    told(start)
    assert start.exchanges <= 8
    assert start.confirms < 1.2 * 25
    assert start.messages < 10 * 25
