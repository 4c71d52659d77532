"""A link: how its connection comes, goes and comes back, and why there is none."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import pytest

from sidegate.link.address import Address
from sidegate.link.health import LinkState
from sidegate.protocol.handshake import Identity
from sidegate.protocol.messages import Checks, Error, Hello
from sidegate.trust.secrets import known
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.linking import (
    SOON,
    UNANSWERED,
    Asking,
    answer,
    answered,
    ask,
    linked,
    linked_to_nobody,
    numbered,
    pair,
    some,
)
from tests.support.in_process.puppets import Puppet, deaf, puppet


async def test_checks_wait_for_the_first_connection() -> None:
    async with puppet() as other, linked(other.address) as (link, watching):
        assert link.state is LinkState.CONNECTING
        asking = ask(link, 2)
        assert link.in_flight == 2
        await answered(other, asking)
        assert asking.got == numbered(2)
        assert [peer.name for peer in watching.ups] == ["puppet"]
        assert link.peer is watching.ups[0]


async def test_checks_do_not_wait_longer_than_their_budget_for_the_first_connection() -> None:
    """When the other side only accepts, all that wait get no answer, and the next ones at once."""
    async with deaf() as other, linked(other.address) as (link, _):
        soon, later = ask(link, 1, SOON), ask(link, 1, GENEROUS)
        await eventually(soon.settled)
        assert soon.got == later.got == UNANSWERED
        assert link.state is LinkState.DOWN
        assert not link.ask(some(1), 0, GENEROUS, Asking())
        assert link.in_flight == 0


async def test_checks_get_no_answer_at_once_where_nobody_listens() -> None:
    """A refused connection gives up what waits for it long before its budget ends, and says why."""
    async with linked_to_nobody() as (link, watching):
        asking = ask(link)
        await eventually(asking.settled)
        assert asking.got == UNANSWERED
        assert link.state is LinkState.DOWN
        assert "refused" in link.refusal.lower() or "connect call failed" in link.refusal.lower()
        assert (watching.ups, watching.downs) == ([], 0)


async def test_a_link_finds_who_comes_later() -> None:
    async with puppet() as other:
        address = other.address
    async with linked(address, max_delay=0.1) as (link, _):
        await eventually(lambda: link.state is LinkState.DOWN)
        later = Puppet(other.me)
        await later.start(address.port)
        await eventually(lambda: link.state is LinkState.UP)
        assert link.refusal == ""
        asking = ask(link)
        await answered(later, asking)
        await later.stop()


async def test_a_broken_connection_answers_what_was_in_flight_at_once() -> None:
    async with pair() as (link, other):
        asking = ask(link, 4)
        frame = await other.hear(Checks)
        await other.say(answer(frame, [2]))
        await eventually(lambda: asking.got[2])
        other.connections[-1].abort()
        await eventually(asking.settled)
        assert asking.got == [[None], [None], [[1, 2]], [None]]
        assert link.in_flight == 0


async def test_a_link_that_broke_is_used_again() -> None:
    async with puppet() as other, linked(other.address) as (link, watching):
        for times in range(1, 6):
            await eventually(lambda: link.state is LinkState.UP and other.connections)
            asking = ask(link)
            await answered(other, asking)
            assert asking.got == numbered(1)
            other.connections[-1].abort()
            await eventually(partial(watching.has_gone_down, times))
        assert len(watching.ups) >= 5


async def test_a_unix_socket_is_dialled_like_any_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A link to a path uses the Unix socket there, and no TLS."""
    path = f"{tmp_path_factory.mktemp('s')}/s"

    def context() -> None:
        raise AssertionError

    async with AsyncExitStack() as stack:
        other = Puppet(Identity("node", "puppet", "sidegate"))
        server = await asyncio.get_running_loop().create_unix_server(other._accept, path)
        link, _ = await stack.enter_async_context(linked(Address(path=path), context=context))
        await eventually(lambda: link.state is LinkState.UP)
        server.close()


async def test_a_refusal_is_kept_and_told_once_however_often_it_dials() -> None:
    accepted: list[Hello] = []
    async with puppet(secrets=known(b"hush")) as other:
        other.approve = accepted.append
        async with linked(other.address, max_delay=0.05) as (link, watching):
            await eventually(lambda: len(accepted) > 3)
            assert link.refusal_code == "secret"
            assert "the two sides don't have the same secret" in link.refusal
            assert watching.ups == []
            assert link.state is LinkState.DOWN
    assert watching.refusals == [link.refusal]


async def test_a_side_that_does_not_know_the_secret_is_not_believed() -> None:
    """A link with a secret doesn't come up with a side that has another, though that lets it in."""
    async with (
        puppet() as other,
        linked(other.address, me=Identity("app", "me", "", known(b"hush"))) as (link, watching),
    ):
        await eventually(lambda: link.refusal)
        assert "the two sides don't have the same secret" in link.refusal
        assert watching.ups == []


async def test_what_the_other_side_says_when_it_closes_is_the_refusal() -> None:
    async with puppet() as other, linked(other.address) as (link, watching):
        await other.say(Error("timeout", "a frame unfinished for 5 s"))
        await eventually(lambda: watching.downs)
        assert link.refusal_code == "timeout"
        assert "a frame unfinished for 5 s" in link.refusal


async def test_a_context_that_cannot_be_made_is_a_refusal() -> None:
    """Missing certificates keep a link down and are named; it tries again."""
    tries: list[int] = []

    def context() -> None:
        tries.append(1)
        raise FileNotFoundError(2, "No such file", "cert.pem")

    async with puppet() as other, linked(other.address, context=context) as (link, _):
        await eventually(lambda: len(tries) > 1)
        assert "cert.pem" in link.refusal
