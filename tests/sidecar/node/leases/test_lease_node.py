"""Leases of nodes: only an owner lends, what is about others' keys goes to them, once."""

import pytest

from sidegate.buckets.decision import Source
from sidegate.buckets.lending import LAPSE
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.messages import NOBODY, Check, Error, Ping, Pong
from sidegate.protocol.outcome_messages import Outcomes
from sidegate_sidecar.lab.waiting import until
from sidegate_sidecar.node.leases.quiet import Quiet
from sidegate_sidecar.process import Process
from sidegate_sidecar.reports.series import Column
from tests.sidecar.node.beside_puppets import answer_each, asking_two, beside_a_puppet
from tests.support.in_memory.clusters import Room
from tests.support.in_process.cluster import GENEROUS, cluster, config, eventually, key_of
from tests.support.in_process.puppets import APP, Bare, bare, puppet

LIMIT = "1000/minute"
ONE: Check = ("k", LIMIT, 1)


async def borrow(app: Bare, key: str, wanted: int = 10, limits: str = LIMIT) -> Lent:
    """Return the answer to a question for tokens."""
    await app.send(Borrow(7, 0, 50_000, key, limits, wanted))
    lent = await app.next()
    assert isinstance(lent, Lent)
    assert lent.id == 7
    return lent


async def borrowed(app: Bare, key: str) -> Lent:
    """Ask until something is lent, which isn't so in an owner's first moments."""
    [_] = await answer_each(app, (key, LIMIT, 1))  # so the limits are known there
    found: list[Lent] = []

    async def is_lent() -> bool:
        found.append(await borrow(app, key))
        return found[-1].tokens > 0

    assert await until(is_lent, within=GENEROUS, look_every=0.01)
    return found[-1]


async def spent(app: Bare, key: str) -> int:
    """Return how many tokens a key owes."""
    [answer] = await answer_each(app, (key, LIMIT, 0))
    assert not isinstance(answer, str)
    return round(answer[1] / 60e6)


async def test_an_owner_lends_but_not_in_its_first_moments() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await answer_each(app, ONE)
        assert await borrow(app, "k") == Lent(7, NOBODY, "n1", pause=100_000)
        lent = await borrowed(app, "k")
        assert (lent.source, lent.node, lent.tokens) == (Source.OWNER, "n1", 10)
        assert 10_000 <= lent.lasts <= 100_000
        assert len(lent.debts) == 1
        lending = node.node.leases.lending
        assert (len(lending), lending.lent) == (1, 10)


async def test_what_is_given_back_is_not_owed_any_more() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await answer_each(app, ("k", LIMIT, 400))
        lent = await borrowed(app, "k")
        owed = await spent(app, "k")
        await app.send(Returned(0, [("k", LIMIT, lent.number, 9)]), Ping(1))
        assert await app.next() == Pong(1)
        lending = node.node.leases.lending
        assert len(lending) == 0
        assert lending.returned in {0, 9}  # on a busy machine it lapses before
        assert owed - await spent(app, "k") >= lending.returned


@pytest.mark.parametrize(
    ("key", "limits"), [("k", "5/minute"), ("k", "no limit"), ("k" * 513, LIMIT), ("k", "7/minute")]
)
async def test_of_what_makes_no_sense_or_was_never_asked_nothing_is_lent(
    key: str, limits: str
) -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await borrowed(app, "other")
        await answer_each(app, ("k", "5/minute", 1))
        lent = await borrow(app, key, 10, limits)
        assert (lent.tokens, lent.number) == (0, 0)
        assert lent.pause >= 100_000
        row = (key, limits, lent.number, 5)
        await app.send(Returned(0, [row]), Ping(1))
        assert await app.next() == Pong(1)
        assert node.node.leases.lending.returned == 0


async def test_another_node_asks_the_owner_and_gives_back_to_it() -> None:
    async with asking_two() as (nodes, app, key):
        lent = await borrowed(app, key)
        assert (lent.source, lent.node) == (Source.OWNER, "n2")
        lending = nodes[1].node.leases.lending
        assert lending.lent == 10
        await app.send(Returned(0, [(key, LIMIT, lent.number, 0)]))
        await eventually(lambda: len(lending) == 0)
        assert nodes[0].node.leases.lending.lent == 0


async def test_a_backup_has_what_was_lent() -> None:
    async with asking_two() as (nodes, app, key):
        await borrowed(app, key)
        table = nodes[0].cluster.table
        await eventually(lambda: any(d >= 11 * 59e6 for _, d in table.held(key, nodes[0].clock())))


async def test_nobody_lends_in_place_of_an_owner_that_is_gone() -> None:
    async with beside_a_puppet() as (node, other, app, key):
        await answer_each(app, (key_of("n1", node.cluster.ring), LIMIT, 1))
        await other.stop()
        await eventually(lambda: not node.peers.is_up("n2"))
        lent = await borrow(app, key)
        assert (lent.source, lent.tokens) == (NOBODY, 0)


async def test_beside_an_older_owner_there_are_no_leases_and_the_link_stays() -> None:
    """What an app has told of leases that it had is counted here."""
    async with puppet("n2", level=3) as other:
        node = Process(config("n1", seeds=(other.address,)))
        async with node, bare(node, APP) as app:
            await eventually(lambda: node.ready and "n2" in node.cluster.ring)
            key = key_of("n2", node.cluster.ring)
            lent = await borrow(app, key)
            assert (lent.source, lent.node, lent.tokens) == (NOBODY, "n1", 0)
            rows = [(key, "lease", 1, 3, 3)]
            await app.send(Returned(0, [(key, LIMIT, 4, 1)]), Outcomes([], [*rows]), Ping(1))
            assert await app.next() == Pong(1)
            said = {type(it) for it in other.heard}
            assert not said & {Borrow, Returned, Outcomes}
            counting = node.node.counting
            assert counting is not None
            for _ in counting.settle():
                pass
            assert (
                sum(it.totals["lease", Column.ALLOWED] for it in counting.activity.by_rule.values())
                == 3
            )


@pytest.mark.parametrize(
    "lie", [Borrow(7, 1, 50_000, "k", LIMIT, 10), Returned(1, [("k", LIMIT, 4, 1)])]
)
async def test_an_app_forwards_nothing(lie: Borrow | Returned) -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await app.send(lie)
        error = await app.error()
        assert isinstance(error, Error)
        assert error.code == "bad-message"


def test_after_another_ring_nothing_is_lent_for_as_long_as_a_lease_lasts() -> None:
    room = Room("ab")
    quiet = Quiet(room["a"])
    assert quiet.lasts(1_000)
    assert quiet.lasts(1_000 + LAPSE - 1)
    assert not quiet.lasts(1_000 + LAPSE)
    room["a"].ring = room["a"].ring.without_node("b")
    assert quiet.lasts(2 * LAPSE)
    assert not quiet.lasts(3 * LAPSE)
