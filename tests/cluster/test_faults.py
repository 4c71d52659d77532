"""Sidecars that are killed or stopped: every check has one answer, which says by whom."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from typing import TYPE_CHECKING, Any

import pytest

from sidegate.link.health import State
from sidegate_ring.hashring import Ring
from sidegate_sidecar.config import Role
from sidegate_sidecar.process import Process
from tests.cluster.apps import running
from tests.cluster.cluster import (
    admitted,
    are_one_ring,
    client,
    clients,
    cluster,
    config,
    eventually,
    eventually_answered,
    key_of,
    link_of,
    sources,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.client.client import Client
    from sidegate.link.link import Link

BUDGET = 1.0  # seconds: enough for an owner that runs, on a busy machine too
RING = Ring(["n1", "n2", "n3"])
DAY = 86_400 * 10**9  # ns


class Child(running.Sidecar):
    """A sidecar in a process of its own, beside those in this one."""

    ready_at = "/readyz"

    def __init__(self, name: str, *seeds: Process, options: Sequence[str] = ()) -> None:
        super().__init__(name)
        self._options = [*options, *(f"--seed={node.link}" for node in seeds)]

    @property
    def command(self) -> list[str]:
        return [*super().command, *self._options]


@asynccontextmanager
async def process(name: str, *seeds: Process, options: Sequence[str] = ()) -> AsyncGenerator[Child]:
    """Start a sidecar in a process, and end it, in whatever state it is."""
    sidecar = Child(name, *seeds, options=options)
    try:
        sidecar.launch()
        await asyncio.to_thread(sidecar.wait)
        yield sidecar
    finally:
        await asyncio.to_thread(sidecar.kill)
        sidecar.close()


async def restart(sidecar: Child) -> None:
    """Start a killed sidecar again, under its name and at its addresses."""
    await asyncio.to_thread(sidecar.kill)  # takes its remains away
    await asyncio.to_thread(sidecar.launch)
    await asyncio.to_thread(sidecar.wait)


@asynccontextmanager
async def trio(**options: Any) -> AsyncGenerator[tuple[list[Process], Child]]:
    """Run n1 and n2 here, where their state can be seen, and n3, which is to suffer, elsewhere."""
    options = {"budget": BUDGET, **options}
    async with cluster("n1", "n2", **options) as nodes, process("n3", nodes[0]) as third:
        await eventually(lambda: all(is_used(node) for node in nodes))
        yield nodes, third


def is_used(node: Process) -> bool:
    """Tell if this node forwards to n3, and all three see the same ring."""
    cluster = node.cluster
    digests = [member.digest for member in cluster.membership.living()]
    return node.peers.is_up("n3") and cluster.ring == RING and digests == [RING.digest] * 2


def link_to(node: Process, name: str = "n3") -> Link:
    return node.peers.by_name[name].link


def key_backed_up_by(name: str) -> str:
    """Return a key of n3's that this node holds a copy of."""
    keys = (f"key{at}" for at in range(10_000))
    return next(key for key in keys if RING.pair(key) == ("n3", name))


def spent_at(node: Process, key: str) -> float:
    """Return how many of the tokens of 50/day a node's bucket lacks."""
    interval = DAY / 50
    return sum(debt for _, debt in node.node.buckets.held(key, node.clock())) / interval


def stood_in(nodes: Sequence[Process]) -> int:
    """Count the checks of apps that a backup decided."""
    counted = [node.node.counts.checks for node in nodes]
    return sum(it["app", "backup", outcome] for it in counted for outcome in ("allowed", "denied"))


class Load:
    """Checks of n3's keys, made all the time until it is ended; counts what was asked."""

    def __init__(self, *asking: Client) -> None:
        self.asked = 0
        self.decisions: list[Decision] = []
        self._asking = asking
        self._ended = False

    async def run(self, at_once: int = 20) -> None:
        """Ask all the time, `at_once` checks at each client, until ended."""
        keys = [key_of("n3", RING, f"load{at}.") for at in range(5)]
        while not self._ended:
            futures = [
                who.check(keys[at % 5], "1000000000/day")
                for who in self._asking
                for at in range(at_once)
            ]
            self.asked += len(futures)
            self.decisions += await asyncio.gather(*futures)

    def end(self) -> None:
        """Let the checks that are on their way be the last."""
        self._ended = True

    def seen(self, source: str) -> bool:
        """Has every client a late decision from this source?"""
        late = self.decisions[-20 * len(self._asking) :]
        return sources(late) == {source: len(late)} and len(self.decisions) > 100


@asynccontextmanager
async def load(*asking: Client) -> AsyncGenerator[Load]:
    """Ask all the time; in the end each check has had one answer."""
    asking_all = Load(*asking)
    async with asyncio.TaskGroup() as group:
        group.create_task(asking_all.run())
        yield asking_all
        asking_all.end()
    assert len(asking_all.decisions) == asking_all.asked


# --- the owner is gone


@pytest.mark.parametrize("how", [SIGKILL, SIGSTOP], ids=["killed", "stopped"])
async def test_every_check_is_answered_once_when_the_owner_is_gone(how: Signals) -> None:
    """Under load no check is lost; backups decide those of the owner until others own its keys."""
    async with trio() as (nodes, owner):
        async with clients(*nodes) as asking, load(*asking) as under:
            await eventually(lambda: under.seen("owner"))
            owner.send(how)
            await eventually(lambda: under.seen("backup"))
            states = {link_to(node).state for node in nodes}
            assert states == ({State.DOWN} if how is SIGKILL else {State.SUSPECT})
            assert not any(link_to(node).in_flight for node in nodes)
            await eventually(lambda: under.seen("owner"))
            assert {node.cluster.ring.nodes for node in nodes} == {("n1", "n2")}
            assert not any("n3" in node.peers.by_name for node in nodes)
        assert sources(under.decisions).keys() == {"owner", "backup"}
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
        assert link.state is State.SUSPECT
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


def by_n3(decision: Decision) -> bool:
    return (decision.source, decision.node) == ("owner", "n3")


async def test_an_owner_that_was_given_up_and_goes_on_is_used_again() -> None:
    """A stopped owner is dialled anew after a while, and answers once it goes on."""
    key = key_of("n3", RING)
    async with trio() as (nodes, owner), client(nodes[0]) as asking:
        owner.send(SIGSTOP)
        assert (await asking.check(key, "50/day")).source == "backup"
        link = link_to(nodes[0])
        link.health.suspect_since -= 60  # as if it had been stopped for a minute
        await eventually(lambda: link.state is not State.SUSPECT)  # down, or closed for good
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
        await eventually(lambda: all(link_to(node).state is State.DOWN for node in nodes))
        gone = await asyncio.gather(*(who.check(key, "50/day") for who in asking))
        assert sources(gone) == {"backup": 2}
        await restart(owner)
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
        assert link_of(asking).state is State.UP


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
                await (restart(owner) if how is SIGKILL else asyncio.to_thread(owner.send, SIGCONT))
                await eventually(lambda: under.seen("owner"))
        assert sources(under.decisions).keys() == {"owner", "backup"}
        assert stood_in(nodes) == sources(under.decisions)["backup"]
        assert admitted(under.decisions) == under.asked


# --- decided alone


@asynccontextmanager
async def leaves(*names: str) -> AsyncGenerator[list[Process]]:
    """Run leaves whose only owner has gone, and that go by `local`."""
    options: dict[str, Any] = {"role": Role.LEAF, "on_unreachable": "local"}
    async with cluster("owner") as (owner,), AsyncExitStack() as stack:
        nodes = [Process(config(name, seeds=(owner.link,), **options)) for name in names]
        for node in nodes:
            await stack.enter_async_context(node)
        others = len(names)
        await eventually(lambda: all(len(it.cluster.membership.living()) == others for it in nodes))
        await owner.stop()
        await eventually(lambda: not any(node.cluster.ring.nodes for node in nodes))
        yield nodes


async def test_nodes_that_decide_alone_admit_no_more_than_the_limit() -> None:
    """With `local` each node admits its share where nobody owns a key, together not more."""
    async with leaves("n1", "n2", "n3", "n4") as nodes, clients(*nodes) as asking:
        by_node = [
            await asyncio.gather(*(who.check("k", "100/day") for _ in range(60))) for who in asking
        ]
    assert [admitted(decisions) for decisions in by_node] == [25] * 4
    assert [sources(decisions) for decisions in by_node] == [{"local": 60}] * 4
    assert {str(it.limits) for decisions in by_node for it in decisions} == {"25/day"}


async def test_a_cost_above_the_share_of_a_node_is_charged_as_the_whole_share() -> None:
    """Alone, a node admits a check that no share could pay, once, and then no more."""
    async with leaves("n1", "n2") as (node, _), client(node) as asking:
        decisions = [await asking.check("k", "10/day", 8) for _ in range(3)]
    assert [it.allowed for it in decisions] == [True, False, False]
    assert {it.cost for it in decisions} == {5}


# --- the local sidecar is gone


@pytest.mark.parametrize("policy", ["open", "closed", "local"])
async def test_an_app_without_its_sidecar_goes_by_its_own_policy(policy: str) -> None:
    """A killed sidecar is answered for at once; when it is back the app is limited again."""
    async with process("n3") as sidecar, client(str(sidecar.link), on_unreachable=policy) as asking:
        limited = await asyncio.gather(*(asking.check("k", "10/day") for _ in range(20)))
        assert (sources(limited), admitted(limited)) == ({"owner": 20}, 10)
        sidecar.send(SIGKILL)
        link = link_of(asking)
        await eventually(lambda: link.state is State.DOWN)
        futures = [asking.check("k", "10/day") for _ in range(20)]
        await asyncio.sleep(0)
        assert all(future.done() for future in futures)
        alone = await asyncio.gather(*futures)
        assert sources(alone) == {policy: 20}
        assert admitted(alone) == {"open": 20, "closed": 0, "local": 10}[policy]
        await restart(sidecar)
        await eventually_answered(
            lambda: asking.check("other", "10/day", 0), lambda it: it.source == "owner"
        )
        again = await asyncio.gather(*(asking.check("k", "10/day") for _ in range(20)))
        assert (sources(again), admitted(again)) == ({"owner": 20}, 10)


async def test_checks_on_their_way_when_the_sidecar_is_killed_are_answered() -> None:
    """Under load, no check of an app is lost with its sidecar."""
    async with process("n3") as sidecar, client(str(sidecar.link)) as asking:
        async with load(asking) as under:
            await eventually(lambda: under.seen("owner"))
            sidecar.send(SIGKILL)
            await eventually(lambda: under.seen("open"))
            await restart(sidecar)
            await eventually(lambda: under.seen("owner"))
        assert sources(under.decisions).keys() == {"owner", "open"}


async def test_a_stopped_sidecar_costs_its_app_one_budget() -> None:
    """A sidecar that hangs is asked once, then answered for, and asked again when it goes on."""
    async with process("n3") as sidecar, client(str(sidecar.link), budget=BUDGET) as asking:
        assert (await asking.check("k", "10/day")).source == "owner"
        sidecar.send(SIGSTOP)
        waiting = await asyncio.gather(*(asking.check("k", "10/day") for _ in range(5)))
        assert sources(waiting) == {"open": 5}
        link = link_of(asking)
        assert link.state is State.SUSPECT
        later = asking.check("k", "10/day")
        await asyncio.sleep(0)
        assert later.done()
        sidecar.send(SIGCONT)
        await eventually(lambda: link.state is State.UP)
        assert (await asking.check("k", "10/day", 0)).source == "owner"


async def test_a_unix_socket_left_behind_by_a_killed_sidecar_is_taken_over(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A sidecar that was killed finds its socket file when it starts again, and uses it."""
    path = f"{tmp_path_factory.mktemp('s')}/s"
    async with AsyncExitStack() as stack:
        sidecar = await stack.enter_async_context(process("n3", options=[f"--socket={path}"]))
        asking = await stack.enter_async_context(client(f"unix:{path}"))
        assert (await asking.check("k", "10/day")).remaining == 9
        sidecar.send(SIGKILL)
        link = link_of(asking)
        await eventually(lambda: link.state is State.DOWN)
        await restart(sidecar)
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
