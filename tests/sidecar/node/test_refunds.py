"""Refunds: who gives tokens back, and that what is wrong, late or lost gives nothing."""

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.link.health import LinkState
from sidegate.protocol.messages import MAX_REFUNDS, Answers, Check, Ping, Pong, Refund
from sidegate_sidecar.node.backlog import CHARACTERS
from sidegate_sidecar.node.counts import RefundOutcome
from sidegate_sidecar.process import Process
from tests.sidecar.node.beside_puppets import answer_each, asking_two, beside_a_puppet
from tests.sidecar.node.trio import Trio
from tests.support.in_memory.clusters import YEARLY
from tests.support.in_process.cluster import cluster, eventually, key_of
from tests.support.in_process.puppets import APP, Bare, bare, node_named

LIMIT = "10/day"
SEEDS = range(120)


async def give_back(app: Bare, *checks: Check, hops: int = 0) -> None:
    """Say a refund, which has arrived when this returns."""
    await app.send(Refund(hops, list(checks)), Ping(1))
    assert await app.next() == Pong(1)


async def spent(app: Bare, key: str, limit: str = LIMIT) -> int:
    """Return how many tokens a key has spent."""
    [answer] = await answer_each(app, (key, limit, 0))
    assert not isinstance(answer, str)
    day = parse_limits(limit).items[0]
    return -(-answer[1] * day.scale // day.interval)


def outcomes(node: Process) -> list[int]:
    """Return how many charges a node has given back, forwarded and dropped."""
    return list(node.node.counts.refunds.values())


async def test_the_owner_gives_back_exactly_what_was_charged() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await answer_each(app, ("k", LIMIT, 4), ("k", LIMIT, 3), ("other", LIMIT, 3))
        await give_back(app, ("k", LIMIT, 4))
        assert (await spent(app, "k"), await spent(app, "other")) == (3, 3)
        assert outcomes(node) == [1, 0, 0]


async def test_none_are_given_beyond_full() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await answer_each(app, ("k", LIMIT, 2))
        await give_back(app, *[("k", LIMIT, 10)] * MAX_REFUNDS)
        assert await spent(app, "k") == 0
        answers = await answer_each(app, ("k", LIMIT, 10), ("k", LIMIT, 1))
        assert [answer[0] for answer in answers] == [1, 0]


async def test_what_is_told_of_too_few_windows_is_dropped() -> None:
    """Limits may be joined by a comma too, in which no window is looked for."""
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await give_back(app, ("k", "10/minute, 10/day window@20000", 1))
        assert outcomes(node) == [0, 0, 1]


async def test_a_limit_of_several_is_given_back_alone() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await answer_each(app, ("k", "10/day; 100/week", 4))
        await give_back(app, ("k", "100/week", 4))
        assert (await spent(app, "k"), await spent(app, "k", "100/week")) == (4, 0)


async def test_another_nodes_tokens_are_given_back_there() -> None:
    """The frame is split by owner, and each part goes there once."""
    async with asking_two() as (nodes, app, key):
        mine = key_of("n1", nodes[0].cluster.ring)
        await answer_each(app, (key, LIMIT, 4), (mine, LIMIT, 4))
        await give_back(app, (key, LIMIT, 3), (mine, LIMIT, 2))
        await eventually(lambda: outcomes(nodes[1]) == [1, 0, 0])
        assert (await spent(app, key), await spent(app, mine)) == (1, 2)
        assert outcomes(nodes[0]) == [1, 1, 0]


async def test_it_is_forwarded_twice_at_most() -> None:
    async with beside_a_puppet() as (node, other, app, key):
        for hops in range(4):
            await give_back(app, (key, LIMIT, 1), hops=hops)
        assert [(await other.hear(Refund)).hops for _ in range(2)] == [1, 2]
        await eventually(lambda: outcomes(node) == [0, 2, 2])
        assert not any(isinstance(it, Refund) for it in other.heard)


async def test_what_cannot_be_sent_at_once_is_never_sent() -> None:
    """Not after the owner is back either."""
    async with beside_a_puppet() as (node, other, app, key):
        await other.stop()
        await eventually(lambda: node.peers.by_name["n2"].state is LinkState.DOWN)
        await give_back(app, (key, LIMIT, 1))
        assert outcomes(node) == [0, 0, 1]
        await other.start(other.address.port)
        await eventually(lambda: node.peers.is_up("n2"))
        await give_back(app, (key, LIMIT, 2))
        assert (await other.hear(Refund)).checks == [(key, LIMIT, 2)]


@pytest.mark.parametrize(
    "wrong",
    [
        ("k", LIMIT, 0),
        ("k", LIMIT, -1),
        ("k", LIMIT, 11),
        ("k", "10/eon", 1),
        ("k" * 513, LIMIT, 1),
        ("k", f"{LIMIT}; 1/hour", 2),
    ],
)
async def test_what_no_check_can_have_charged_gives_nothing_back(wrong: Check) -> None:
    """And the rest of the frame counts."""
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await answer_each(app, ("k", LIMIT, 4))
        await give_back(app, wrong, ("k", LIMIT, 1))
        assert await spent(app, "k") == 3
        assert outcomes(node) == [1, 0, 1]


async def test_it_makes_no_buckets_and_reads_few_new_limits() -> None:
    """Who gives back what nobody charged gets no more of a node than who asks."""
    async with cluster("n1") as (node,), bare(node, APP) as app:
        new = [("k", f"{CHARACTERS + at}/{at + 50} days", 1) for at in range(MAX_REFUNDS)]
        await give_back(app, *new)
        given, _, dropped = outcomes(node)
        assert given + dropped == MAX_REFUNDS
        assert 0 < given < 100
        assert len(node.node.buckets) == 0
        assert list(node.node.buckets.keys()) == []


def test_an_owner_that_stood_still_gives_nothing_back() -> None:
    """It may lack what others have charged in its place."""
    trio = Trio("owner")
    trio.begin(1)
    trio.ask(2)
    owner = trio.nodes[trio.owner]
    trio.pass_time(400)
    owner.cluster.late_at = trio.room.now - 1
    trio.refund(trio.told[0])
    assert trio.tokens(trio.owner) == 2
    assert owner.counts.refunds[RefundOutcome.DROPPED] == 2
    owner.cluster.late_at = trio.room.now + 10**9
    trio.finish()


async def test_a_node_may_say_it_as_an_app_may() -> None:
    async with cluster("n1") as (node,), bare(node, node_named("n2", "0.0.0.0:9")) as peer:
        await peer.send(Refund(1, [("k", LIMIT, 1)]), Ping(1))
        assert await peer.next() == Pong(1)
        assert outcomes(node)[0] + outcomes(node)[2] == 1


async def test_too_many_in_a_frame_are_an_error() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await app.send(Refund(0, [("k", LIMIT, 1)] * (MAX_REFUNDS + 1)))
        assert (await app.error()).code == "bad-message"
        assert outcomes(node) == [0, 0, 0]


@pytest.mark.parametrize("asker", ["other", "backup", "owner"])
def test_in_every_order_of_events_no_more_is_given_back_than_was_charged(asker: str) -> None:
    """Whoever has decided, and whatever the holders still have to tell each other."""
    trio = Trio(asker, YEARLY)
    for seed in SEEDS:
        trio.begin(seed)
        given, done = 0, list[Answers]()
        for at in range(60):
            if at % 15 == 0:
                trio.ask(3)
            elif at % 10 == 0:
                fresh = [it for it in trio.told if it not in done]
                done += fresh
                given += sum(map(trio.refund, fresh[: trio.random.randrange(3)]))
            trio.step()
        trio.finish()
        held = trio.tokens(trio.owner)
        used, most = trio.admitted - given, trio.admitted + trio.refused
        assert used <= held <= most, (seed, used, held, most)


def test_what_counted_beyond_the_capacity_is_given_back_first() -> None:
    """It was let through, and is no debt: to take it off the debt would let it through again."""
    trio = Trio("owner", "2/year")
    trio.begin(0)
    sync, now = trio.room[trio.owner].sync, trio.room.now
    table: BucketTable = trio.room[trio.owner].table
    limits = parse_limits("2/year")
    table.take(trio.key, limits, 2, now)
    [limit] = limits.items
    debts = [limit.capacity // limit.scale]
    sync._settling.settle(trio.backup, (trio.key, limits.text, debts, [(1, 0, 1)]), now)
    sync.refund(trio.key, limits, 1, now)
    assert trio.tokens(trio.owner) == 2
    sync.refund(trio.key, limits, 1, now)
    assert trio.tokens(trio.owner) == 1
