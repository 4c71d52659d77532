"""Reservations on real sidecars of this process: charged, settled, expired, by whoever is asked."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from sidegate import ReservationError
from sidegate.buckets.decision import Source
from sidegate.client.client import Client
from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
from sidegate.protocol.messages import Error
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import (
    client,
    clients,
    cluster,
    eventually,
    eventually_answered,
    key_of,
    running,
)
from tests.support.in_process.puppets import APP, bare

DAY = "20000/day"


async def spent(asking: Client, key: str = "k") -> int:
    """Return how many tokens a key has spent."""
    return (await asking.peek(key)).get(DAY, 0)


async def test_of_a_hundred_at_once_as_many_are_held_as_fit() -> None:
    """5,000 of 20,000: four, whichever node is asked."""
    async with cluster("n1", "n2", "n3") as nodes, clients(*nodes) as asking:
        got: list[str] = []
        go_on = asyncio.Event()

        async def one(at: int) -> None:
            async with asking[at % 3].reserve("k", DAY, 5_000) as held:
                if held is not None:
                    got.append(held.id)
                await go_on.wait()

        tasks = [asyncio.create_task(one(at)) for at in range(100)]
        await eventually(lambda: sum(it.node.reservations.asked for it in nodes) >= 100)
        await eventually(lambda: len(got) == 4)
        go_on.set()
        await asyncio.gather(*tasks)
        assert len(set(got)) == 4
        assert await spent(asking[0]) == 20_000


async def test_what_wasnt_used_is_given_back_and_the_rest_charged() -> None:
    async with cluster("n1", "n2") as nodes, clients(*nodes) as (one, other):
        for key in (key_of(name, nodes[0].cluster.ring) for name in ("n1", "n2")):
            async with one.reserve(key, DAY, 5_000) as held:
                assert held is not None
                assert (held.held, held.decision.source) == (5_000, Source.OWNER)
                held.actual = 1_200
            assert await spent(other, key) == 1_200
            async with other.reserve(key, DAY, 1_000) as held:
                assert held is not None
                held.actual = 1_500
            assert await spent(one, key) == 2_700


async def test_more_may_be_used_than_there_is_and_is_owed_then() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        async with asking.reserve("k", DAY, 19_000) as held:
            assert held is not None
            held.actual = 30_000
        assert await spent(asking) == 30_000
        assert not (await asking.check("k", DAY)).allowed


async def test_an_exception_gives_all_back() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        with pytest.raises(ZeroDivisionError):
            async with asking.reserve("k", DAY, 5_000):
                raise ZeroDivisionError
        assert await spent(asking) == 0


async def test_more_can_be_held_while_there_is_some() -> None:
    async with cluster("n1", "n2") as nodes, clients(*nodes) as (one, other):
        key = key_of("n2", nodes[0].cluster.ring)
        async with one.reserve(key, DAY, 5_000) as held:
            assert held is not None
            assert await held.add(10_000)
            assert not await held.add(10_000)
            assert held.held == 15_000
        assert await spent(other, key) == 15_000


async def test_a_second_commit_changes_nothing_at_any_node() -> None:
    async with cluster("n1", "n2", "n3") as nodes, clients(*nodes) as asking:
        key = key_of("n2", nodes[0].cluster.ring)
        async with asking[0].reserve(key, DAY, 5_000) as held:
            assert held is not None
            held.actual = 1_200
        for it in asking:
            assert await it.commit(held.id, 7) == (1_200, 3_800, 0)
        assert await spent(asking[0], key) == 1_200


async def test_the_same_id_is_the_same_reservation_also_at_once() -> None:
    async with cluster("n1", "n2", "n3") as nodes, clients(*nodes) as asking:
        key = key_of("n2", nodes[0].cluster.ring)

        async def one(at: int) -> str:
            async with asking[at % 3].reserve(key, DAY, 5_000, id="job-7") as held:
                assert held is not None
                return held.id

        ids = await asyncio.gather(*map(one, range(30)))
        assert len({text[:40] for text in ids}) == 1
        assert await spent(asking[0], key) == 5_000
        with pytest.raises(ReservationError, match=r"job-7.*expected what it had first, 5000 of"):
            async with asking[0].reserve(key, DAY, 4_999, id="job-7"):
                pass
        with pytest.raises(ReservationError, match="job-7"):
            async with asking[0].reserve(key, "20000/hour", 5_000, id="job-7"):
                pass


async def test_who_was_denied_may_ask_with_the_same_id_again() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        async with asking.reserve("k", DAY, 20_000) as first:
            assert first is not None
            async with asking.reserve("k", DAY, 5_000, id="x") as held:
                assert held is None
            first.actual = 0
        async with asking.reserve("k", DAY, 5_000, id="x") as held:
            assert held is not None


async def test_what_isnt_committed_is_given_back_at_its_end() -> None:
    """And what is committed later is charged then."""
    async with cluster("n1", "n2") as nodes, clients(*nodes) as (one, other):
        key = key_of("n2", nodes[0].cluster.ring)
        reserving = one.reserve(key, DAY, 5_000, ttl=0.2)
        held = await reserving.__aenter__()
        assert held is not None
        await eventually_answered(lambda: spent(other, key), lambda it: it == 0)
        assert not await held.add(5)
        assert await other.commit(held.id, 700) == (700, 0, 700)
        assert await spent(one, key) == 700


async def test_several_keys_are_held_or_none() -> None:
    async with cluster("n1", "n2") as nodes, clients(*nodes) as (one, other):
        mine, theirs = (key_of(name, nodes[0].cluster.ring) for name in ("n1", "n2"))
        await other.check(theirs, DAY, 18_000)
        reserving = one.reserve_all([(mine, DAY), (theirs, DAY)], 5_000)
        async with reserving as held:
            assert held is None
        assert reserving.decision is not None
        assert reserving.decision.remaining == 2_000
        assert (await spent(one, mine), await spent(one, theirs)) == (0, 18_000)
        async with one.reserve_all([(mine, DAY), (theirs, DAY)], 2_000) as held:
            assert held is not None
            held.actual = 500
        assert (await spent(one, mine), await spent(one, theirs)) == (500, 18_500)


async def test_ids_of_others_are_no_ids() -> None:
    async with cluster("n1") as (node,), client(node) as asking, cluster("other") as (foreign,):
        async with client(foreign) as elsewhere, elsewhere.reserve("k", DAY, 5) as held:
            assert held is not None
            await asking.commit(held.id, 1)  # without secrets and names they are one cluster
        for wrong in ("r1.", "x", held.id[:-8], held.id[:-8] + "AAAAAAAA"):
            with pytest.raises(ReservationError):
                await asking.commit(wrong, 1)


async def test_an_id_isnt_believed_under_another_secret() -> None:
    secrets = (b"a secret of sixteen bytes", b"another one of as many")
    async with AsyncExitStack() as stack:
        nodes = [await running(stack, f"n{at}", secret=it) for at, it in enumerate(secrets)]
        one, other = [
            await stack.enter_async_context(client(node, secret=secret))
            for node, secret in zip(nodes, secrets, strict=True)
        ]
        async with one.reserve("k", DAY, 5) as held:
            assert held is not None
            with pytest.raises(ReservationError, match="wasn't made by this cluster"):
                await other.commit(held.id, 0)


async def test_a_reset_leaves_nothing_to_give_back() -> None:
    async with cluster("n1", "n2") as nodes, clients(*nodes) as (one, other):
        key = key_of("n2", nodes[0].cluster.ring)
        async with one.reserve(key, DAY, 5_000) as held:
            assert held is not None
            await other.reset(key)
            await other.check(key, DAY, 3_000)
            held.actual = 0
        assert await spent(other, key) == 3_000


async def test_a_quota_of_a_window_is_reserved_as_a_bucket_is() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        limits = "20000/year window; 10000/day"
        async with asking.reserve("k", limits, 5_000) as held:
            assert held is not None
            held.actual = 1_200
        assert await asking.peek("k") == {"20000/year window": 1_200, "10000/day": 1_200}


async def kept_at(stack: AsyncExitStack, *, kill: bool) -> tuple[int, int]:
    """Reserve at a node that then goes, commit at another; return what that changed, and is spent.

    Twice: the second one is to change nothing.
    """
    nodes = [await running(stack, "n0")]
    nodes += [await running(stack, f"n{at}", nodes[0]) for at in (1, 2)]
    await eventually(lambda: all(len(it.cluster.ring) == 3 for it in nodes))
    key = key_of("n1", nodes[0].cluster.ring)
    asking = await stack.enter_async_context(client(nodes[0]))
    held = await asking.reserve(key, DAY, 5_000).__aenter__()
    assert held is not None
    backup = next(it for it in nodes if it.cluster.name == nodes[0].cluster.ring.pair(key)[1])
    await eventually(lambda: backup.node.reservations.table.rows.open)
    if not kill:
        await nodes[1].leave()
    await nodes[1].stop()
    await eventually(lambda: nodes[0].cluster.ring.nodes == ("n0", "n2"), 40.0)
    await eventually(lambda: nodes[2].cluster.ring.nodes == ("n0", "n2"), 40.0)
    committed = await asking.commit(held.id, 1_200)
    assert await asking.commit(held.id, 0) == committed
    return committed.given_back, await spent(asking, key)


@pytest.mark.parametrize("kill", [False, True])
async def test_another_node_settles_what_one_held_that_is_gone(*, kill: bool) -> None:
    async with AsyncExitStack() as stack:
        assert await kept_at(stack, kill=kill) == (3_800, 1_200)


async def test_who_isnt_known_is_given_nothing_back() -> None:
    """The one node that knew of it is gone, and another one of its name has come."""
    async with AsyncExitStack() as stack:
        async with cluster("n1") as (first,), client(first) as asking:
            held = await asking.reserve("k", DAY, 5_000).__aenter__()
            assert held is not None
        node = await running(stack, "n1")
        again = await stack.enter_async_context(client(node))
        await again.check("k", DAY, 5_000)
        assert await again.commit(held.id, 1_200) == (1_200, 0, 0)
        assert await again.commit(held.id, 1_200) == (1_200, 0, 0)
        assert await spent(again) == 5_000
        assert node.node.reservations.table.counts.unknown == 1


async def refused(node: Process, message: Reserve | Commit) -> str:
    """Return why a connection of an app is closed for a message."""
    async with bare(node, APP) as app:
        await app.send(message)
        told = await app.next()
        assert isinstance(told, Error), told
        return told.code


async def test_an_app_cant_say_what_nodes_say() -> None:
    async with cluster("n1") as (node,):
        assert await refused(node, Reserve(1, 0, "k", DAY, 5, 60, serial=7)) == "bad-message"
        assert await refused(node, Reserve(1, 2, "k", DAY, 5, 60)) == "bad-message"
        assert await refused(node, Commit(1, 1, "r1.AAAA", 5)) == "bad-message"


@pytest.mark.parametrize(
    "asked",
    [
        Reserve(1, 0, "k" * 513, DAY, 5, 60),
        Reserve(1, 0, "k", "", 5, 60),
        Reserve(1, 0, "k", "20000/eon", 5, 60),
        Reserve(1, 0, "k", "@rule", 5, 60),
        Reserve(1, 0, "k", DAY, 20_001, 60),
        Reserve(1, 0, "k", DAY, 5, 60, more="r1.AAAA"),
        Commit(1, 0, "", 5),
        Commit(1, 0, "r1.", 5),
    ],
)
async def test_what_makes_no_sense_is_answered_with_words(asked: Reserve | Commit) -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await app.send(asked)
        told = await app.next()
        assert isinstance(told, Reserved)
        assert isinstance(told.answer, str)
        assert "expected" in told.answer
