"""A link that hurries: how it comes through the end of its sidecar, with another one or without."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import pytest

from sidegate.link.connection import Connection
from sidegate.link.dialing import FIRST_DELAY, Redial
from sidegate.link.health import LinkState
from sidegate.link.link import Link
from sidegate.protocol.messages import Checks, Error, Forget, Hello, Roster
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.linking import (
    SOON,
    UNANSWERED,
    Asking,
    Watching,
    answer,
    ask,
    linked,
    numbered,
    pair,
)
from tests.support.in_process.puppets import Deaf, Puppet, puppet

LEAVING = Roster("digest", [("puppet", "127.0.0.1:1")], 1)


hurried = partial(pair, hurries=True)


def stop_listening(other: Puppet) -> None:
    """Let nobody in any more; who is there stays."""
    assert other._server is not None
    other._server.close()


@asynccontextmanager
async def deaf_in_the_place_of(other: Puppet) -> AsyncGenerator[None]:
    """Have who dials the puppet accepted, and told nothing."""
    stop_listening(other)
    silent = Deaf(other.address)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(silent.protocol, other.address.host, other.address.port)
    try:
        yield
    finally:
        server.close()
        for transport in list(silent.open):
            transport.close()
        await eventually(lambda: not silent.open)


def has_come_up(watching: Watching, times: int) -> bool:
    """Was the link up that often?"""
    return len(watching.ups) == times


def hurried_long_ago(link: Link) -> None:
    """Allow another dial without a pause."""
    link._redial._hurried_at -= 60


async def answered_by(other: Puppet, link: Link, connection: Connection) -> None:
    """Ask, and see the answer come when it is given on this connection."""
    asking = ask(link)
    connection.send(answer(await other.hear(Checks)))
    await eventually(asking.settled)
    assert asking.got == numbered(1)


# A connection that breaks


class AskingWhenItBreaks(Watching):
    """Asks a check in the moment in which a link breaks, and has a lot of time."""

    asking: Asking

    def link_down(self, link: Link, /) -> None:
        super().link_down(link)
        self.state = link.state
        self.asking = ask(link, budget=GENEROUS * 5)


async def test_checks_wait_for_the_dial_after_a_break() -> None:
    watching = AskingWhenItBreaks()
    async with hurried(watching=watching) as (link, other):
        in_flight = ask(link)
        await other.hear(Checks)
        other.connections[0].abort()
        await other.say(answer(await other.hear(Checks)))
        await eventually(watching.asking.settled)
        assert watching.state is LinkState.CONNECTING
        assert (in_flight.got, watching.asking.got) == (UNANSWERED, numbered(1))


async def test_when_nobody_listens_checks_do_not_wait_for_their_budget() -> None:
    """A dial that is refused after a break makes the link down, and is an answer by the policy."""
    watching = AskingWhenItBreaks()
    async with hurried(watching=watching) as (link, other):
        stop_listening(other)
        other.connections[0].abort()
        await eventually(lambda: watching.downs)
        await eventually(watching.asking.settled)
        assert watching.asking.got == UNANSWERED
        assert link.state is LinkState.DOWN


async def test_a_dial_that_hangs_costs_one_budget() -> None:
    async with hurried() as (link, other), deaf_in_the_place_of(other):
        other.connections[0].abort()
        await eventually(lambda: link.state is LinkState.CONNECTING)
        asking = ask(link, budget=SOON)
        await eventually(asking.settled)
        assert asking.got == UNANSWERED
        assert link.state is LinkState.DOWN


async def test_a_side_that_hangs_up_again_and_again_is_dialled_after_pauses() -> None:
    """Only the first dial is without a pause: a link to who hangs up at once makes no busy loop."""
    times: list[float] = []

    class HangingUp(Watching):
        def link_up(self, link: Link, _peer: Hello, /) -> None:
            times.append(link.loop.time())
            assert link._connection is not None
            link._connection.abort()

    async with (
        puppet() as other,
        linked(other.address, watching=HangingUp(), hurries=True) as (link, _),
    ):
        await eventually(lambda: len(times) >= 5)
        assert link.state is not LinkState.CONNECTING
    pauses = [after - before for before, after in pairwise(times[1:])]
    assert min(pauses) >= FIRST_DELAY / 2


async def test_when_nobody_listens_only_one_dial_is_without_a_pause() -> None:
    """A sidecar that is gone is dialled again as if it had never been there."""
    times: list[float] = []

    def context() -> None:
        times.append(asyncio.get_running_loop().time())

    async with hurried(context=context) as (link, other):
        stop_listening(other)
        other.connections[0].abort()
        await eventually(lambda: len(times) >= 4)
        assert link.state is LinkState.DOWN
    _, *again = times
    assert min(after - before for before, after in pairwise(again)) >= FIRST_DELAY / 2


async def test_a_link_that_does_not_hurry_is_down_when_it_breaks() -> None:
    """A link to a node takes no check while another node could be asked."""
    async with pair() as (link, other):
        other.connections[0].abort()
        await eventually(lambda: link.state is not LinkState.UP)
        assert link.state is LinkState.DOWN


# A sidecar that is going


async def test_a_link_moves_when_its_sidecar_is_going() -> None:
    """Checks go over a new connection; the old one is closed when the last answer is there."""
    async with hurried() as (link, other):
        old = other.connections[0]
        asking = ask(link, 2)
        frame = await other.hear(Checks)
        old.send(answer(frame, [1]))
        old.send(LEAVING)
        await eventually(lambda: len(other.connections) == 2)
        await answered_by(other, link, other.connections[1])
        assert not old.transport.is_closing()
        assert link.in_flight == 1
        old.send(answer(frame, [0]))
        await eventually(asking.settled)
        assert asking.got == numbered(2)
        await eventually(lambda: other.connections != [old] and old not in other.connections)
        assert (link.state, link.in_flight) == (LinkState.UP, 0)


async def test_no_check_is_refused_on_the_way() -> None:
    async with hurried() as (link, other):

        async def answer_each() -> None:
            while True:
                frame = await other.hear(Checks)
                for connection in other.connections:  # the other one ignores it
                    connection.send(answer(frame))

        answering = asyncio.create_task(answer_each())
        for _ in range(5):
            before = list(other.connections)
            hurried_long_ago(link)
            before[-1].send(LEAVING)
            while before[-1] in other.connections:
                asking = ask(link)
                await eventually(asking.settled)
                assert asking.got == numbered(1)
        answering.cancel()


async def test_an_idle_connection_is_left_at_once() -> None:
    async with hurried() as (link, other):
        old = other.connections[0]
        await other.say(LEAVING)
        await eventually(lambda: len(other.connections) == 1 and old not in other.connections)
        await answered_by(other, link, other.connections[0])


async def test_where_nobody_else_answers_the_old_connection_serves_to_its_end() -> None:
    """Dials that are refused cost nothing: checks are answered until the sidecar closes."""
    async with hurried() as (link, other):
        stop_listening(other)
        await other.say(LEAVING)
        await eventually(lambda: link.refusal)  # it has tried
        assert link.state is LinkState.UP
        await answered_by(other, link, other.connections[0])
        hurried_long_ago(link)
        other.connections[0].close()
        await eventually(lambda: link.state is LinkState.DOWN)


async def test_a_sidecar_that_comes_late_is_found_while_the_old_one_answers() -> None:
    """After a dial that was refused the link tries again, and moves when somebody is there."""
    async with hurried(max_delay=FIRST_DELAY) as (link, other):
        old = other.connections[0]
        stop_listening(other)
        await other.say(LEAVING)
        await eventually(lambda: link.refusal)
        successor = Puppet(other.me)
        await successor.start(other.address.port)
        await eventually(lambda: successor.connections and old not in other.connections)
        await answered_by(successor, link, successor.connections[0])
        await successor.stop()


async def test_the_same_sidecar_is_not_dialled_in_a_loop() -> None:
    """When who answers is going too, the link tries again after pauses that grow."""
    times: list[float] = []
    watching = Watching()

    async with hurried(watching=watching, max_delay=GENEROUS) as (link, other):
        await other.say(LEAVING)
        await eventually(lambda: len(watching.ups) == 2)
        while len(times) < 3:
            await other.say(LEAVING)
            await eventually(partial(has_come_up, watching, 3 + len(times)))
            times.append(link.loop.time())
    first, second = [after - before for before, after in pairwise(times)]
    assert (first >= FIRST_DELAY, second >= 2 * FIRST_DELAY) == (True, True)


async def test_an_end_before_the_next_connection_is_up_keeps_checks_waiting() -> None:
    """The sidecar is gone before the dial that it made us make is answered: checks wait for it."""
    async with hurried() as (link, other), deaf_in_the_place_of(other):
        await other.say(LEAVING)
        await asyncio.sleep(0)
        await eventually(lambda: link._redial._at_once)
        other.connections[0].close()
        await eventually(lambda: link.state is not LinkState.UP)
        assert link.state is LinkState.CONNECTING


@pytest.mark.parametrize("times", [1, 3])
async def test_a_link_that_does_not_hurry_stays(times: int) -> None:
    """A node that says it is going is left when it does: another node is asked then."""
    watching = Watching()
    async with pair(watching=watching) as (link, other):
        await other.say(*[LEAVING] * times)
        await eventually(lambda: len(watching.rosters) == times)
        await answered_by(other, link, other.connections[0])
        assert len(watching.ups) == 1


async def test_only_its_end_ends_a_connection_when_there_is_no_hurry() -> None:
    redial = Redial(1.0, hurries=False)
    redial.up()
    redial.leaving()
    ended = asyncio.create_task(redial.ended())
    await asyncio.wait([ended], timeout=0)
    assert not ended.done()
    assert not redial.lost()
    await ended


# What was asked on the old connection


async def moved(link: Link, other: Puppet) -> Connection:
    """Have the link move; return the old connection, on which something is in flight."""
    old = other.connections[0]
    old.send(LEAVING)
    await eventually(lambda: len(other.connections) == 2)
    await eventually(lambda: link._partings)
    return old


async def test_a_budget_that_runs_out_on_the_old_connection_gives_no_answer() -> None:
    """Nobody waits longer for a sidecar that is going; the link to the next one isn't suspect."""
    async with hurried() as (link, other):
        soon, later = ask(link, 1, SOON), ask(link, 1, GENEROUS)
        old = await moved(link, other)
        await eventually(soon.settled)
        assert soon.got == UNANSWERED
        assert old in other.connections
        await other.hear(Checks)
        old.send(answer(await other.hear(Checks)))
        await eventually(later.settled)
        assert later.got == numbered(1)
        await eventually(lambda: old not in other.connections)
        assert (link.state, link.in_flight) == (LinkState.UP, 0)


async def test_an_old_connection_that_breaks_gives_no_answer() -> None:
    async with hurried() as (link, other):
        asking = ask(link, 3)
        old = await moved(link, other)
        old.abort()
        await eventually(asking.settled)
        assert asking.got == [[None]] * 3
        assert (link.state, link.in_flight) == (LinkState.UP, 0)


async def test_answers_that_do_not_fit_end_only_the_old_connection() -> None:
    """An answer that makes no sense is none, and is told to who gave it."""
    async with hurried() as (link, other):
        asking = ask(link)
        frame = await other.hear(Checks)
        old = await moved(link, other)
        old.send(answer(Checks(frame.id, 0, 1, [*frame.checks, *frame.checks])))
        assert (await other.hear(Error)).code == "bad-message"
        await eventually(asking.settled)
        assert asking.got == UNANSWERED
        assert link.state is LinkState.UP


async def test_what_else_is_said_on_the_old_connection_does_not_matter() -> None:
    """Its rosters and the like come from a sidecar that is going."""
    watching = Watching()
    async with hurried(watching=watching) as (link, other):
        asking = ask(link)
        frame = await other.hear(Checks)
        old = await moved(link, other)
        for message in (LEAVING, Forget("k"), answer(frame)):
            old.send(message)
        await eventually(asking.settled)
        assert asking.got == numbered(1)
        assert len(watching.rosters) == 1
        assert watching.messages == []


async def test_closing_closes_the_old_connection_too() -> None:
    async with hurried() as (link, other):
        asking = ask(link)
        await moved(link, other)
        await link.close()
        assert asking.got == UNANSWERED
        assert link.in_flight == 0
        await eventually(lambda: not other.connections)
