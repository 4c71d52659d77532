"""Deploys without traffic: every node is replaced, and what was spent stays spent.

SIDEGATE_REPETITIONS says how often each deploy is played, 20 for the whole of it.
"""

import asyncio
from signal import SIGCONT, SIGSTOP, SIGTERM
from typing import Final, Protocol

import pytest

from tests.support.in_process.cluster import eventually
from tests.support.processes.fleet import Fleet, ended, fleet, repetitions


class Deploy(Protocol):
    """Changes which nodes run; `title` begins the names of new ones."""

    __name__: str

    async def __call__(self, cluster: Fleet, title: str, /) -> None: ...


LIMIT: Final = "10/hour"
SPENT: Final = 4
LEFT: Final = 6
KEYS: Final = 30  # so many that each node is owner of some, and backup of others
TRIES: Final = 100
NAMES: Final = ("n1", "n2", "n3")


async def keeps_counting(cluster: Fleet, title: str, deploy: Deploy) -> None:
    """Spend some of each key's limit, deploy while nobody asks, and find what is left exactly."""
    keys = [f"{title}.{at}" for at in range(KEYS)]
    assert await cluster.admitted(keys, LIMIT, SPENT) == dict.fromkeys(keys, SPENT)
    await deploy(cluster, title)
    assert await cluster.overdue() == 0
    assert await cluster.admitted(keys, LIMIT, TRIES) == dict.fromkeys(keys, LEFT)


async def play(*deploys: Deploy, usual: int = 1) -> None:
    """Play deploys of three nodes, one after the other: each finds exactly what is left."""
    async with fleet(*NAMES) as cluster:
        for at in range(repetitions(usual)):
            for deploy in deploys:
                await keeps_counting(cluster, f"{deploy.__name__}{at}", deploy)


# --- all nodes are replaced


async def replace_with_spare(cluster: Fleet, title: str) -> None:
    """For each node start a new one, of another name, and then end the old one."""
    for at, old in enumerate(list(cluster.nodes)):
        await cluster.start(f"{title}.{at}")
        await cluster.whole()
        await cluster.stop(old)
        await cluster.whole()


async def replace_without_spare(cluster: Fleet, title: str) -> None:
    """For each node end the old one, and then start a new one, of another name."""
    for at, old in enumerate(list(cluster.nodes)):
        await cluster.stop(old)
        await cluster.whole()
        await cluster.start(f"{title}.{at}")
        await cluster.whole()


async def restart_each(cluster: Fleet, _title: str) -> None:
    """End each node, and start it again under its name, at its ports."""
    for name in list(cluster.nodes):
        await cluster.stop(name)
        await cluster.whole()
        await cluster.start(name)
        await cluster.whole()


async def replace_hastily(cluster: Fleet, title: str) -> None:
    """End each node as soon as a new one is ready, whatever the others know of it by then."""
    for at, old in enumerate(list(cluster.nodes)):
        await cluster.start(f"{title}.{at}")
        await cluster.stop(old)


@pytest.mark.parametrize(
    "deploy", [replace_with_spare, replace_without_spare, restart_each, replace_hastily]
)
async def test_what_was_spent_is_spent_after_a_deploy(deploy: Deploy) -> None:
    """4 of 10 an hour spent, all three nodes replaced one by one: 6 of 100 tries are allowed."""
    await play(deploy, usual=2)


# --- more nodes, and fewer

GONE: Final = ("n1", "n3", "n4", "n6")


async def grow(cluster: Fleet, _title: str) -> None:
    """Start as many nodes again, side by side."""
    await cluster.start("n4", "n5", "n6")
    await cluster.whole()


async def shrink_one_by_one(cluster: Fleet, _title: str) -> None:
    """End four of six nodes, each when the one before it is gone."""
    for name in GONE:
        await cluster.stop(name)
    await cluster.whole()


async def shrink_at_once(cluster: Fleet, _title: str) -> None:
    """End four of six nodes at the same moment."""
    await cluster.stop(*GONE)
    await cluster.whole()


async def return_to_three(cluster: Fleet, _title: str) -> None:
    """Get the nodes back that there were in the beginning."""
    await cluster.stop("n5")
    await cluster.start("n1", "n3")
    await cluster.whole()


@pytest.mark.parametrize("shrink", [shrink_one_by_one, shrink_at_once])
async def test_what_was_spent_is_spent_after_scaling(shrink: Deploy) -> None:
    """From 3 nodes to 6 and to 2, and back to 3: 6 of 10 an hour are left after each step."""
    await play(grow, shrink, return_to_three)


# --- all at once


def surge(after: float) -> Deploy:
    """Return a deploy that tells all to end, some time after as many new ones were started."""

    async def deploy(cluster: Fleet, title: str) -> None:
        old = list(cluster.nodes)
        new = [f"{title}.{at}" for at in range(len(old))]
        cluster.launch(*new)
        await asyncio.sleep(after)
        await cluster.stop(*old)
        await asyncio.gather(*map(cluster.ready, new))
        await cluster.whole()

    return deploy


@pytest.mark.parametrize("after", [0.0, 0.3, 0.6])
async def test_what_was_spent_is_spent_when_all_are_told_to_end_at_once(after: float) -> None:
    """Whether the new ones have only been started, are joining, or are there by then."""
    await play(surge(after))


async def replace_at_the_last_moment(cluster: Fleet, title: str) -> None:
    """Tell all to end when one new node is there, and others have been started that know only old.

    These have to find one of the old ones yet.
    """
    old = list(cluster.nodes)
    new = [f"{title}.{at}" for at in range(len(old))]
    await cluster.start(new[0])
    cluster.launch(*new[1:], seeds=old)
    await cluster.stop(*old)
    await cluster.whole()


async def test_who_was_started_with_the_first_of_the_new_ones_finds_it() -> None:
    """The last of the old ones stays within reach for as long as that may take."""
    await play(replace_at_the_last_moment)


# --- how a node ends


async def test_a_node_that_is_told_twice_ends_at_once() -> None:
    """A second SIGTERM ends a node that waits for another one, which will answer nothing."""
    async with fleet("n1", "n2", drain=600) as cluster:
        leaving, silent = cluster.nodes["n1"], cluster.nodes["n2"]
        silent.send(SIGSTOP)
        leaving.send(SIGTERM)
        await eventually(lambda: "stopping" in leaving.log)
        leaving.send(SIGTERM)
        await ended(leaving)
        assert leaving.exit_code == 0
        assert "ended at once, while it was on the ring" in leaving.log
        silent.send(SIGCONT)


async def test_a_node_waits_for_others_no_longer_than_its_drain() -> None:
    """With a node that answers nothing it waits for the drain, and has not left."""
    async with fleet("n1", "n2", drain=0.5) as cluster:
        leaving, silent = cluster.nodes["n1"], cluster.nodes["n2"]
        silent.send(SIGSTOP)
        leaving.send(SIGTERM)
        await ended(leaving)
        assert leaving.exit_code == 0
        assert "still on the ring after 0.5" in leaving.log
        assert "is taken for dead" not in leaving.log  # that would have ended the waiting too
        silent.send(SIGCONT)


async def test_the_last_node_ends_without_anyone_to_hand_over_to() -> None:
    """Alone, a node has nothing to wait for."""
    async with fleet("n1") as cluster:
        await cluster.admitted(["k"], LIMIT, 1)
        await cluster.stop("n1")
