"""Connections that behave badly: slow ones, idle ones, deaf ones, and too many of them."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import cast

import pytest

from sidegate.protocol.codec import Framer, decode, encode
from sidegate.protocol.messages import Error, Message, Proof, Welcome
from sidegate_sidecar.links.sessions import Timeouts
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import (
    client,
    config,
    eventually,
    eventually_answered,
    sources,
    witness,
)
from tests.support.in_process.puppets import APP, Bare, bare, checks
from tests.support.processes import services
from tests.support.processes.memory import resident

HASTY = Timeouts(handshake=0.3, frame=0.3, unread=0.3, look_every=0.02)
QUESTIONS = encode(checks(1, *[("k", "1/day", 1)] * 4_000))
OPENING = encode(APP.hello(b"n" * 32)) + encode(Proof(b"any"))


@asynccontextmanager
async def watched(patience: Timeouts = HASTY, **options: object) -> AsyncGenerator[Process]:
    """Run a sidecar, and a client that asks it all the time and must notice nothing."""
    node = Process(config("n1", **options))
    node.sessions.patience = patience
    async with node, witness(node):
        yield node


# Slow ones


async def dribble(peer: Bare, data: bytes) -> None:
    """Send one byte after the other, with pauses that are short against the limits."""
    for byte in data:
        await peer.send(bytes([byte]))
        await asyncio.sleep(HASTY.frame / 20)


@pytest.mark.parametrize(
    ("shaken", "data", "text"),
    [
        (False, encode(APP.hello(b"n" * 32)), "no handshake within 0.3 s"),
        (True, QUESTIONS, "a frame unfinished for 0.3 s"),
    ],
    ids=["handshake", "frame"],
)
async def test_a_byte_now_and_then_buys_no_time(shaken: bool, data: bytes, text: str) -> None:
    """A handshake or a frame must be whole in time, however busily a peer sends at it."""
    async with watched() as node, bare(node, APP if shaken else None) as slow:
        dribbling = asyncio.create_task(dribble(slow, data))
        error = await slow.error()
        assert (error.code, error.text) == ("timeout", text)
        dribbling.cancel()


async def test_slow_peers_make_room() -> None:
    """Peers that are slow, all at once and as many as there may be, are ended and make room."""
    async with watched(max_connections=101) as node, AsyncExitStack() as stack:
        for at in range(100):
            slow = await stack.enter_async_context(bare(node))
            await slow.send(OPENING[: at % 40])
        await eventually(lambda: node.node.counts.turned_away == {"timeout": 100})
        async with client(node) as asking:
            assert (await asking.check("k", "5/day")).source == "owner"


# Deaf ones


async def test_peers_that_never_read_cost_little_memory() -> None:
    """Peers that ask and never read are read from no more, and cut off in the end."""
    patience = Timeouts(unread=0.3, look_every=0.02)
    async with watched(patience) as node, AsyncExitStack() as stack:
        deaf = [await stack.enter_async_context(bare(node, APP)) for _ in range(5)]
        sessions = [it.transport for it in node.sessions.open if it.peer and it.peer.name == "bare"]
        for peer in deaf:
            peer.transport.pause_reading()
            keep_little(peer.transport, socket.SO_RCVBUF)
        for session in sessions:
            keep_little(session, socket.SO_SNDBUF)
        before = resident(os.getpid())
        for peer in deaf:
            peer.writer.write(QUESTIONS * 40)  # 1.6 MB, and 1.8 MB of answers
        await eventually(lambda: all(session.is_closing() for session in sessions))
        assert all(session.get_write_buffer_size() < 2 << 20 for session in sessions)
        assert resident(os.getpid()) - before < 50 << 20
        for session in sessions:
            session.abort()  # which it would do by itself after 5 s
        await eventually(lambda: node.node.counts.turned_away == {"timeout": 5})


def keep_little(transport: asyncio.Transport, buffer: int) -> None:
    """Have the system keep 64 kB at most between us and the other side."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, buffer, 1 << 16)


# Many


async def test_connections_that_come_and_go_leave_nothing_behind() -> None:
    """After a thousand connections, ended in all ways, there is neither a session nor a file."""
    async with watched() as node:
        files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # just their number
        for at in range(1_000):
            async with bare(node, APP if at % 3 else None) as peer:
                await peer.send(OPENING[: at % 40])
                if at % 2:
                    peer.transport.abort()
        await eventually(lambda: len(node.sessions.open) == 1)
        await eventually(lambda: len(os.listdir("/proc/self/fd")) <= files)  # noqa: PTH208


# 5,000 idle connections at a process that takes 4,096

IDLE = 5_000
MOST = 4_096
FILES = IDLE + 1_000


@contextmanager
def files_allowed(soft: int) -> Generator[None]:
    """Have this process, and those that it starts, open that many files at most."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def crowded() -> Generator[services.Sidecar]:
    """Run a sidecar that was started with the 1,024 files that are usual."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"only {hard} files may be open here, {FILES} are needed")
    sidecar = services.Sidecar("crowded")
    with files_allowed(1_024):
        sidecar.launch()
    try:
        with files_allowed(FILES):
            yield sidecar.wait()
    finally:
        sidecar.close()


class Idle(asyncio.Protocol):
    """Shakes hands, and then only listens."""

    def __init__(self) -> None:
        self.closed = False
        self.bodies: list[Message] = []
        self._framer = Framer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(OPENING)

    def data_received(self, data: bytes) -> None:
        self.bodies += [decode(body) for body in self._framer.feed(data)]

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed, self.lost_with = True, exc

    def heard(self, kind: type[Message]) -> bool:
        return any(isinstance(message, kind) for message in self.bodies)


async def test_five_thousand_idle_connections(crowded: services.Sidecar) -> None:
    """As many as may be stay, the others hear why not, and who was there before notices nothing."""
    loop = asyncio.get_running_loop()
    async with client(str(crowded.link)) as before:
        assert (await before.check("k", "1000000/day")).source == "owner"
        rested = resident(crowded.pid)
        idle: list[Idle] = []
        for _ in range(IDLE // 250):
            made = [
                loop.create_connection(Idle, "127.0.0.1", crowded.link.number) for _ in range(250)
            ]
            some = [one for _, one in await asyncio.gather(*made)]
            await eventually(lambda: all(one.heard(Welcome) or one.heard(Error) for one in some))  # noqa: B023
            idle += some
            assert (await before.check("k", "1000000/day")).source == "owner"
        refused = [one for one in idle if one.heard(Error)]
        assert len(idle) - len(refused) == MOST - 1
        assert refused[0].bodies[-1] == Error("busy", "4,096 connections are open, no more fit")
        assert resident(crowded.pid) - rested < 150 << 20
        decisions = await asyncio.gather(*(before.check("k", "1000000/day") for _ in range(500)))
        assert sources(decisions) == {"owner": 500}
        for one in idle:
            one.transport.abort()
        await eventually(lambda: all(one.closed for one in idle))
        async with client(str(crowded.link)) as after:
            await eventually_answered(
                lambda: after.check("k", "1000000/day"), lambda it: it.source == "owner"
            )
