"""Inspections: who is looked at when the owner is silent or gone, and what fits into a frame."""

import pytest

from sidegate.protocol.messages import Buckets, Holdings, Inspect, Merged, Reset, Resets
from sidegate_sidecar.config import Role
from sidegate_sidecar.node.node import MAX_HELD
from tests.sidecar.node.beside_puppets import DAY, SOON, answers_to, beside_a_puppet
from tests.support.in_process.cluster import GENEROUS, cluster, key_of
from tests.support.in_process.puppets import APP, bare, checks


@pytest.mark.parametrize("hops", [2, 3, 10**9])
async def test_an_inspection_is_not_forwarded_for_ever(hops: int) -> None:
    """As for checks, the node that is asked last looks at itself, and says so."""
    async with beside_a_puppet() as (_, _, peer, key):
        await peer.send(Inspect(1, hops, key))
        assert await peer.next() == Holdings(1, "backup", "n1", [])


async def test_a_key_with_countless_limits_can_still_be_inspected() -> None:
    """What is told of one key fits into a frame, whatever an app has done with the key."""
    limits = [f"1/{at} seconds burst 4" for at in range(1_000_000_001, 1_000_030_001)]
    texts = ["; ".join(limits[at : at + 8]) for at in range(0, len(limits), 8)]
    async with cluster("n1", "n2", budget=GENEROUS) as nodes, bare(nodes[0], APP) as peer:
        key = key_of("n2", nodes[0].cluster.ring)
        for start in range(0, len(texts), 250):
            some = texts[start : start + 250]
            await answers_to(peer, checks(1, *((key, text, 1) for text in some)))
        assert len(nodes[1].node.buckets) == len(limits)
        await peer.send(Inspect(7, 0, key))
        held = await peer.next()
        assert isinstance(held, Holdings)
        assert (held.id, held.node, len(held.buckets)) == (7, "n2", MAX_HELD)


async def test_a_key_of_an_owner_that_is_silent_is_inspected_at_its_backup() -> None:
    """The backup shows its copy, and forgets it on a reset; the source says that it is one."""
    async with beside_a_puppet(budget=SOON) as (node, other, peer, key):
        await other.say(Buckets(1, [("5/day", [key], [DAY])]))
        await other.hear(Merged)
        other.gossips = False
        await peer.send(Inspect(1, 0, key))
        held = await peer.next()
        assert isinstance(held, Holdings)
        assert (held.id, held.source, held.node, held.buckets[0][0]) == (1, "backup", "n1", "5/day")
        await peer.send(Reset(2, 0, key))
        [(_, forgotten, _)] = (await other.hear(Resets)).resets
        assert forgotten == key
        assert not node.node.buckets.held(key, node.clock())


async def test_a_key_that_nobody_can_be_asked_about_cannot_be_inspected() -> None:
    """The answer of a leaf without owners has no buckets, and its source says why."""
    async with beside_a_puppet(budget=SOON, role=Role.LEAF) as (_, _, peer, key):
        await peer.send(Inspect(1, 0, key), Reset(2, 0, key))
        told = [await peer.next(), await peer.next()]
        assert sorted(it.id for it in told if isinstance(it, Holdings)) == [1, 2]
        assert {(it.source, len(it.buckets)) for it in told if isinstance(it, Holdings)} == {
            ("open", 0)
        }
