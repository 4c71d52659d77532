"""A sidecar in a ring with puppets, and what is asked of either."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sidegate.link.health import LinkState
from sidegate.protocol.messages import NOBODY, Answer, Answers, Checks
from sidegate_ring.hashring import Ring
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import cluster, config, eventually, key_of
from tests.support.in_process.puppets import APP, Bare, Puppet, bare, checks, puppet

DAY = 86_400 * 10**9  # ns
SOON = 0.05  # seconds: a budget that is to run out


@asynccontextmanager
async def beside_a_puppet(**options: Any) -> AsyncGenerator[tuple[Process, Puppet, Bare, str]]:
    """Run a sidecar n1 in a ring with a puppet n2, an app of n1, and take a key of n2."""
    async with puppet("n2") as other:
        node = Process(config("n1", seeds=(other.address,), **options))
        async with node, bare(node, APP) as app:
            await eventually(lambda: node.ready and "n2" in node.cluster.ring)
            yield node, other, app, key_of("n2", node.cluster.ring)


@asynccontextmanager
async def beside_two_puppets(
    **options: Any,
) -> AsyncGenerator[tuple[Process, Puppet, Puppet, Bare]]:
    """Run a sidecar n1 in a ring with the puppets n3 and n2, and an app of n1.

    The puppets don't know each other, which makes no difference to what they are asked.
    """
    async with puppet("n2") as backup, puppet("n3") as owner:
        node = Process(config("n1", seeds=(backup.address, owner.address), **options))
        async with node, bare(node, APP) as app:
            await eventually(lambda: node.ready and len(node.cluster.ring) == 3)
            yield node, owner, backup, app


@asynccontextmanager
async def asking_two() -> AsyncGenerator[tuple[list[Process], Bare, str]]:
    """Run two sidecars and an app of the first, and take a key of the second."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as app:
        yield nodes, app, key_of("n2", nodes[0].cluster.ring)


def key_of_pair(owner: str, backup: str, ring: Ring) -> str:
    """Return a key with this owner and this backup."""
    keys = (f"key{at}" for at in range(10_000))
    return next(key for key in keys if ring.pair(key) == (owner, backup))


async def make(how: str, node: Process, other: Puppet) -> None:
    """Have the puppet n2 be gone, or silent."""
    other.gossips = False
    if how == "gone":
        await other.stop()
        await eventually(lambda: node.peers.by_name["n2"].state is LinkState.DOWN)


async def answers_to(peer: Bare, frame: Checks) -> list[Answers]:
    """Send a frame and return the parts in which it is answered, all of them."""
    await peer.send(frame)
    parts: list[Answers] = []
    while True:
        part = await peer.next()
        assert isinstance(part, Answers), part
        assert part.id == frame.id
        parts.append(part)
        if part.positions is None or sum(len(it.answers) for it in parts) == len(frame.checks):
            return parts


async def answer_each(peer: Bare, *asked: tuple[str, str, int]) -> list[Answer]:
    """Return the answer to each check, in their order."""
    answers: list[Answer] = [""] * len(asked)
    for part in await answers_to(peer, checks(1, *asked)):
        positions = range(len(asked)) if part.positions is None else part.positions
        for position, answer in zip(positions, part.answers, strict=True):
            answers[position] = answer
    return answers


def asked_of(acting: Puppet) -> int:
    """Count the frames of checks that a puppet has heard."""
    return sum(isinstance(message, Checks) for message in acting.heard)


async def decline(acting: Puppet) -> Checks:
    """Have a puppet hand back the next checks that it hears."""
    asked = await acting.hear(Checks)
    await acting.say(Answers(asked.id, NOBODY, acting.me.name, None, [[0]] * len(asked.checks)))
    return asked
