"""Sidecars that are killed or stopped: every check has one answer, which says by whom."""

import asyncio
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

import pytest

from sidegate.link.health import LinkState
from sidegate_sidecar.process import Process
from tests.cluster.outages.trio import (
    BUDGET,
    RING,
    by_n3,
    is_used,
    link_to,
    load,
    spent_at,
    stood_in,
    those_who_know,
    trio,
)
from tests.support.in_process.cluster import (
    admitted,
    are_one_ring,
    client,
    clients,
    config,
    eventually,
    eventually_answered,
    key_of,
    link_of,
    sources,
)
from tests.support.processes.beside import process


def key_backed_up_by(name: str) -> str:
    """Return a key of n3's that this node holds a copy of."""
    keys = (f"key{at}" for at in range(10_000))
    return next(key for key in keys if RING.pair(key) == ("n3", name))


@pytest.mark.parametrize("how", [SIGKILL, SIGSTOP], ids=["killed", "stopped"])
async def test_every_check_is_answered_once_when_the_owner_is_gone(how: Signals) -> None:
    """Under load no check is lost; backups decide those of the owner until others own its keys."""
    async with trio() as (nodes, owner):
        async with clients(*nodes) as asking, load(*asking) as under:
            await eventually(lambda: under.seen("owner"))
            owner.send(how)
            await eventually(lambda: under.seen("backup"))
            states = {link_to(node).state for node in nodes}
            assert states == ({LinkState.DOWN} if how is SIGKILL else {LinkState.SUSPECT})
            assert not any(link_to(node).in_flight for node in nodes)
            await eventually(lambda: under.seen("owner"))
            assert {node.cluster.ring.nodes for node in nodes} == {("n1", "n2")}
            assert not any("n3" in node.peers.by_name for node in nodes)
        assert those_who_know(nodes, under.decisions) == {"owner", "backup"}
        assert stood_in(nodes) == sources(under.decisions)["backup"]
        assert admitted(under.decisions) == under.asked
        by_backups = {it.node for it in under.decisions if it.source == "backup"}
        assert by_backups <= {"n1", "n2"}


async def test_only_checks_that_were_on_their_way_wait_for_a_stopped_owner() -> None:
    """A stopped owner costs those their budget; every later check is decided without asking it."""
    key = key_backed_up_by("n1")
    async with trio() as (nodes, owner), client(nodes[0]) as asking:
        assert (await asking.check(key, "50/day")).source == "owner"
        await eventually(lambda: spent_at(nodes[0], key) > 0.9)
        owner.send(SIGSTOP)
        waiting = await asyncio.gather(*(asking.check(key, "50/day") for _ in range(10)))
        assert sources(waiting) == {"backup": 10}
        link = link_to(nodes[0])
        assert link.state is LinkState.SUSPECT
        assert nodes[0].node.counts.unanswered == {"n3": 10}
        last = link._questions._last_id
        later = await asyncio.gather(*(asking.check(key, "50/day") for _ in range(1_000)))
        assert sources(later) == {"backup": 1_000}
        assert link._questions._last_id == last  # nothing more was asked there
        assert admitted([*waiting, *later]) == 49


async def test_an_owner_that_goes_on_is_used_again() -> None:
    """After SIGCONT the owner decides again, and has been told what was decided in its place."""
    key = key_backed_up_by("n1")
    async with trio() as (nodes, owner), clients(*nodes) as asking:
        spent = await asyncio.gather(*(asking[0].check(key, "50/day") for _ in range(30)))
        assert admitted(spent) == 30
        await eventually(lambda: spent_at(nodes[0], key) > 29.9)
        owner.send(SIGSTOP)
        stopped = await asyncio.gather(*(who.check(key, "50/day", 10) for who in asking))
        assert sources(stopped) == {"backup": 2}
        assert admitted(stopped) == 2
        owner.send(SIGCONT)
        after = await eventually_answered(lambda: asking[1].check(key, "50/day", 0), by_n3)
        assert after.remaining == 0
        assert [(await who.check(key, "50/day")).allowed for who in asking] == [False, False]


async def test_an_owner_that_was_given_up_and_goes_on_is_used_again() -> None:
    """A stopped owner is dialled anew after a while, and answers once it goes on."""
    key = key_of("n3", RING)
    async with trio() as (nodes, owner), client(nodes[0]) as asking:
        owner.send(SIGSTOP)
        assert (await asking.check(key, "50/day")).source == "backup"
        link = link_to(nodes[0])
        link.health.suspect_since -= 60  # as if it had been stopped for a minute
        await eventually(lambda: link.state is not LinkState.SUSPECT)  # down, or closed for good
        await eventually(lambda: "n3" not in nodes[0].cluster.ring)
        decision = await asking.check(key, "50/day")
        assert (decision.source, decision.node) == ("owner", nodes[0].cluster.ring.owner(key))
        owner.send(SIGCONT)
        await eventually_answered(lambda: asking.check(key, "50/day"), by_n3)
        await eventually(lambda: all(is_used(node) for node in nodes))


async def test_an_owner_that_is_started_again_is_used_again() -> None:
    """Killed and started under its name and address, the owner is told what it had decided."""
    key = key_backed_up_by("n1")
    async with trio() as (nodes, owner), clients(*nodes) as asking:
        await asyncio.gather(*(asking[0].check(key, "50/day") for _ in range(30)))
        await eventually(lambda: spent_at(nodes[0], key) > 29.9)
        owner.send(SIGKILL)
        await eventually(lambda: all(link_to(node).state is LinkState.DOWN for node in nodes))
        gone = await asyncio.gather(*(who.check(key, "50/day") for who in asking))
        assert sources(gone) == {"backup": 2}
        await asyncio.to_thread(owner.restart)
        await eventually(lambda: all(is_used(node) for node in nodes))
        back = await asyncio.gather(*(asking[at % 2].check(key, "50/day") for at in range(80)))
        assert all(map(by_n3, back))
        assert admitted(back) == 50 - 30 - 2


async def test_the_keys_of_the_others_notice_nothing() -> None:
    """While one owner hangs, checks of all other owners are decided as ever, in the same frames."""
    async with trio() as (nodes, owner), clients(*nodes) as asking:
        owner.send(SIGSTOP)
        keys = [f"k{at}" for at in range(60)]
        for at in range(3):
            decisions = await asyncio.gather(
                *(who.check(key, "9/day") for key in keys for who in asking)
            )
            for key, decision in zip([key for key in keys for _ in asking], decisions, strict=True):
                if RING.owner(key) != "n3":
                    assert (decision.source, decision.node) == ("owner", RING.owner(key))
                elif not at:  # later it may be off the ring, and another be the owner
                    assert decision.source == "backup"
                assert decision.node != "n3" or not decision.node


async def test_a_client_in_a_hurry_is_answered_by_its_sidecar() -> None:
    """The budget of a client goes along: its sidecar answers in time, however long its own is."""
    key = key_backed_up_by("n1")
    async with trio(budget=30.0) as (nodes, owner), client(nodes[0], budget=BUDGET) as asking:
        owner.send(SIGSTOP)
        decision = await asking.check(key, "50/day")
        assert (decision.source, decision.node) == ("backup", "n1")  # "" had it been the client
        assert link_of(asking).state is LinkState.UP


@pytest.mark.parametrize("how", [SIGKILL, SIGSTOP], ids=["killed", "stopped"])
async def test_an_owner_that_fails_again_and_again_loses_no_check(how: Signals) -> None:
    """However often an owner goes and comes under load, each check has one answer.

    With a budget so long that to start a process, which holds up this one, is no standstill of the
    nodes in it: both would have to be told by the dead owner, and give shares until it is back.
    """
    async with trio() as (nodes, owner):
        async with clients(*nodes) as asking, load(*asking) as under:
            for _ in range(2):
                await eventually(lambda: all(is_used(node) for node in nodes))
                await eventually(lambda: under.seen("owner"))
                owner.send(how)
                await eventually(lambda: under.seen("backup"))
                await asyncio.to_thread(owner.restart if how is SIGKILL else owner.revive)
                await eventually(lambda: under.seen("owner"))
        assert those_who_know(nodes, under.decisions) == {"owner", "backup"}
        assert stood_in(nodes) == sources(under.decisions)["backup"]
        assert admitted(under.decisions) == under.asked


async def test_a_unix_socket_left_behind_by_a_killed_sidecar_is_taken_over(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A sidecar that was killed finds its socket file when it starts again, and uses it."""
    path = f"{tmp_path_factory.mktemp('s')}/s"
    async with process("n3", socket=path) as sidecar, client(f"unix:{path}") as asking:
        assert (await asking.check("k", "10/day")).remaining == 9
        sidecar.send(SIGKILL)
        link = link_of(asking)
        await eventually(lambda: link.state is LinkState.DOWN)
        await asyncio.to_thread(sidecar.restart)
        decision = await eventually_answered(
            lambda: asking.check("k", "10/day"), lambda it: it.source == "owner"
        )
        assert decision.remaining == 9


async def test_a_node_whose_place_was_taken_while_it_was_stopped() -> None:
    """A stopped node's name that appears elsewhere is followed there, for good."""
    key = key_of("n3", RING)
    async with trio() as (nodes, owner), clients(*nodes) as asking:
        owner.send(SIGSTOP)
        stopped = await asyncio.gather(*(who.check(key, "50/day") for who in asking))
        assert sources(stopped) == {"backup": 2}
        seeds = tuple(node.link for node in nodes)
        async with Process(config("n3", seeds=seeds)) as heir:
            await eventually(lambda: are_one_ring([*nodes, heir]))
            assert [link_to(node).address for node in nodes] == [heir.link] * 2
            owner.send(SIGCONT)
            await eventually(lambda: all(it.node.counts.turned_away["name"] for it in nodes))
            decisions = await asyncio.gather(*(who.check(key, "50/day") for who in asking))
            assert all(map(by_n3, decisions))
            # Two nodes forward them at once, so either may come second.
            assert {decision.remaining for decision in decisions} == {50 - 3, 50 - 4}
            assert spent_at(heir, key) > 3.9
            assert [link_to(node).address for node in nodes] == [heir.link] * 2
