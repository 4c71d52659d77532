"""Limits of sessions: slow, deaf and too many sides are told so and closed."""

import asyncio
import os
import time
from contextlib import AsyncExitStack, suppress
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET

import pytest

from sidegate.link.connection import Connection
from sidegate.protocol.codec import WireError, encode
from sidegate.protocol.handshake import Dialling
from sidegate.protocol.messages import Answers, Error, Ping, Pong
from sidegate_ring.membership.members import MAX_LEAVES, MAX_LIVING
from sidegate_sidecar.links.sessions import LATE, Timeouts
from sidegate_sidecar.process import Process
from tests.sidecar.links.accepting import HASTY, sidecar, turned_away
from tests.support.in_process.cluster import eventually, witness
from tests.support.in_process.puppets import APP, Bare, bare, checks, node_named

# How long they may take


@pytest.mark.parametrize("said", [b"", encode(APP.hello(b"n" * 32))], ids=["nothing", "hello"])
async def test_a_handshake_that_takes_too_long_is_ended(said: bytes) -> None:
    """Who says nothing, or Hello and nothing more, is told so; who has shaken hands may be idle."""
    async with sidecar(HASTY) as node, bare(node, APP) as idle, bare(node) as silent:
        await silent.send(said)
        error = await silent.error()
        assert (error.code, error.text) == ("timeout", "no handshake within 0.05 s")
        assert turned_away(node) == {"timeout": 1}
        await idle.ping()


async def test_a_frame_that_takes_too_long_is_ended() -> None:
    async with sidecar(HASTY) as node, bare(node, APP) as slow, witness(node):
        await slow.send(encode(Ping(1))[:-1])
        error = await slow.error()
    assert (error.code, error.text) == ("timeout", "a frame unfinished for 0.05 s")


async def test_a_sidecar_that_stood_still_blames_nobody_for_it() -> None:
    """What came meanwhile is read, in several turns of the loop, before its frame is too slow."""
    patience = Timeouts(frame=1.0, look_every=0.5)
    question = encode(checks(1, *[("k" * 200, "1/day", 1)] * 4_000))
    begun, rest = question[:1_000], question[1_000:]
    async with sidecar(patience) as node, bare(node, APP) as app:
        await app.send(begun)
        await eventually(lambda: [it for it in node.sessions.open if it.unfinished_since])
        assert os.write(app.transport.get_extra_info("socket").fileno(), rest) == len(rest)
        time.sleep(LATE + patience.look_every + 0.1)  # noqa: ASYNC251  # this loop is the sidecar's
        assert isinstance(await app.next(), Answers)
        assert not turned_away(node)


async def test_a_stream_whose_reads_end_within_frames_is_no_slow_frame() -> None:
    """A busy side may have a frame unfinished at every look, as long as each is finished."""
    patience = Timeouts(frame=0.3, look_every=0.01)
    start, end = encode(Ping(0))[:-3], encode(Ping(0))[-3:]
    async with sidecar(patience) as node, bare(node, APP) as busy:
        clock = asyncio.get_running_loop().time
        began = clock()
        await busy.send(start)
        while clock() - began < 2 * patience.frame:
            await busy.send(end + start)
            assert await busy.next() == Pong(0)
        assert not turned_away(node)


QUESTIONS = encode(checks(1, *[("k", "1/day", 1)] * 4_000))


async def fill(node: Process, deaf: Bare) -> Connection:
    """Ask without reading the answers, until the sidecar holds some of them; return its side."""
    deaf.transport.pause_reading()
    await eventually(lambda: [it for it in node.sessions.open if it.peer and it.is_up])
    [session] = [it for it in node.sessions.open if it.peer and it.peer.name == "bare"]
    for transport, buffer in ((deaf.transport, SO_RCVBUF), (session.transport, SO_SNDBUF)):
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, buffer, 1 << 16)
    while not session.transport.get_write_buffer_size():
        deaf.writer.write(QUESTIONS)
        await asyncio.sleep(0)
    return session


async def test_a_peer_that_does_not_read_is_read_from_no_more() -> None:
    """Answers that nobody reads stop the questions, so few of them wait; read, they go on."""
    async with sidecar() as node, bare(node, APP) as deaf, witness(node) as decisions:
        session = await fill(node, deaf)
        deaf.writer.write(QUESTIONS * 40 + encode(Ping(2)))
        await eventually(lambda: not session.transport.is_reading())
        more = len(decisions) + 100
        await eventually(lambda: len(decisions) > more)
        assert session.transport.get_write_buffer_size() < 4 << 20
        deaf.transport.resume_reading()
        while await deaf.next() != Pong(2):
            pass


async def test_a_peer_that_never_reads_is_cut_off() -> None:
    """Who leaves too many answers unread for too long is closed, and the word for it is counted."""
    async with sidecar(HASTY) as node, bare(node, APP) as deaf, witness(node):
        session = await fill(node, deaf)
        deaf.writer.write(QUESTIONS * 40)
        await eventually(session.transport.is_closing)
        session.abort()  # which it would do by itself, 5 s after closing
        await eventually(lambda: turned_away(node) == {"timeout": 1})


async def test_a_peer_that_does_not_read_is_not_told_the_ring_for_ever() -> None:
    """What a silent reader has not read of the ring is not piled up behind its back."""
    async with sidecar() as node, bare(node, APP) as deaf:
        session = await fill(node, deaf)
        before = session.transport.get_write_buffer_size()
        for _ in range(1_000):
            node.sessions.tell_ring()
            await asyncio.sleep(0)
        assert session.transport.get_write_buffer_size() <= before


# How many there may be


async def test_one_connection_too_many_is_told_so() -> None:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(sidecar(max_connections=20))
        await stack.enter_async_context(witness(node))
        for _ in range(19):
            await stack.enter_async_context(bare(node, APP))
        one_too_many = await stack.enter_async_context(bare(node))
        await one_too_many.send(APP.hello(b"n" * 32))
        assert await one_too_many.rest() == [Error("busy", "20 connections are open, no more fit")]
        assert turned_away(node) == {"busy": 1}


async def test_of_two_that_are_quick_one_is_too_many() -> None:
    """What fitted when it said Hello may not fit any more when it has proved itself."""
    async with sidecar(max_connections=1) as node, bare(node) as one, bare(node) as other:
        both = [Dialling(APP, bytes([at]) * 32, "") for at in (1, 2)]
        for peer, handshake in zip((one, other), both, strict=True):
            await peer.send(handshake.opening())
        shaking = node.sessions.admission.speaking
        await eventually(lambda: sum(bool(it.session and it.session.peer) for it in shaking) == 2)
        for peer, handshake in zip((one, other), both, strict=True):
            await peer.shake_hands(handshake, [])
        assert await other.error() == Error("busy", "1 connections are open, no more fit")
        assert len(node.sessions.open) == 1


async def test_apps_do_not_take_the_places_of_nodes() -> None:
    async with sidecar(max_connections=1) as node, bare(node, APP):
        async with bare(node, node_named("n2")) as other:
            await other.ping()
        await eventually(lambda: len(node.sessions.open) == 1)
        assert not turned_away(node)


async def test_as_many_nodes_and_leaves_fit_as_a_node_may_know() -> None:
    async with sidecar() as node:
        node.sessions._nodes = MAX_LIVING + MAX_LEAVES - 1
        async with bare(node, node_named("n2")) as last, bare(node) as one_too_many:
            await last.ping()
            await one_too_many.send(node_named("n3").hello(b"n" * 32))
            error = await one_too_many.error()
            assert error == Error("busy", "3,000 connections of nodes are open, no more fit")


async def test_a_connection_that_ends_makes_room() -> None:
    async with sidecar(max_connections=2) as node, bare(node, APP):
        for _ in range(10):
            async with bare(node, APP) as peer:
                await peer.ping()
            await eventually(lambda: len(node.sessions.open) == 1)
    assert not turned_away(node)


async def test_a_crowd_that_comes_at_once_is_counted_one_by_one() -> None:
    async def knock(node: Process, stack: AsyncExitStack) -> bool:
        peer = await stack.enter_async_context(bare(node))
        with suppress(AssertionError, WireError):  # closed in the middle, or told why
            await peer.shake()
            await peer.send(Ping(1))
            return await peer.next() == Pong(1)
        return False

    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(sidecar(max_connections=50))
        came = await asyncio.gather(*(knock(node, stack) for _ in range(200)))
        assert sum(came) == len(node.sessions.open) == 50
        assert turned_away(node) == {"busy": 150}
