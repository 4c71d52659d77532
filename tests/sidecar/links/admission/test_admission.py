"""Connections that have proved nothing: how many there may be, and that they hurt nobody else."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from sidegate.link.address import Address
from sidegate.protocol.codec import encode
from sidegate.protocol.handshake import Identity
from sidegate.protocol.messages import Error, Proof
from sidegate.trust.tls import Tls
from sidegate_sidecar.links.admission import admission as module
from sidegate_sidecar.links.admission.admission import Admission
from sidegate_sidecar.links.sessions import Timeouts
from sidegate_sidecar.process import Process
from tests.support.certificates import Authority
from tests.support.in_process.cluster import client, config, eventually, witness
from tests.support.in_process.puppets import APP, Bare, bare, node_named

OURS = Authority("ours")
PLACES = 4  # in all, and two of them at an address


@pytest.fixture(autouse=True)
def _few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few places, and take each address of loopback for another machine's, but the first."""
    for stage in ("SILENT", "SPEAKING"):
        monkeypatch.setattr(module, f"MAX_{stage}", PLACES)
        monkeypatch.setattr(module, f"MAX_{stage}_AT_AN_ORIGIN", PLACES // 2)
        monkeypatch.setattr(module, f"MAX_{stage}_LOCAL", PLACES // 2)


@asynccontextmanager
async def sidecar(**options: object) -> AsyncGenerator[Process]:
    node = Process(config("n1", **options))
    ours = Admission(
        node.sessions._displaced, 1 << 20, lambda host: host.replace("127.0.0.1", "local")
    )
    node.sessions.admission = ours
    async with node:
        yield node


@asynccontextmanager
async def stranger(node: Process, host: str, first: bytes = b"") -> AsyncGenerator[Bare]:
    """Connect from one of loopback's addresses, and say something that proves nothing."""
    at = node.link.host, node.link.port
    reader, writer = await asyncio.open_connection(*at, local_addr=(host, 0))
    writer.write(first)
    try:
        yield Bare(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


HALF = b"\0\0\1\0half a frame"
HELLO = encode(APP.hello(b"n" * 32))


def displaced(node: Process) -> int:
    return node.node.counts.turned_away["displaced"]


@pytest.mark.parametrize("first", [b"", HALF, HELLO], ids=["silent", "half", "hello"])
@pytest.mark.parametrize("addresses", [1, 50])
async def test_strangers_only_displace_each_other(
    first: bytes, addresses: int, stack: AsyncExitStack
) -> None:
    """Whatever they say and wherever they come from, who has the secret gets in all the while."""
    node = await stack.enter_async_context(sidecar(max_connections=2))
    await stack.enter_async_context(witness(node))
    for at in range(50):
        host = f"127.0.1.{1 + at % addresses}"
        await stack.enter_async_context(stranger(node, host, first))
        if at % 10 == 0:
            async with bare(node, APP) as app:
                await app.ping(at)
            await eventually(lambda: len(node.sessions.open) == 1)
    await eventually(lambda: displaced(node) >= 50 - PLACES)
    assert len(node.sessions.admission) <= 2 * PLACES


async def test_the_first_to_go_is_the_oldest_of_the_address_with_the_most(
    stack: AsyncExitStack,
) -> None:
    node = await stack.enter_async_context(sidecar())
    lone = await stack.enter_async_context(stranger(node, "127.0.1.9", HALF))
    many = [await stack.enter_async_context(stranger(node, "127.0.1.1", HALF)) for _ in "123"]
    assert await many[0].rest() == []
    others = [
        await stack.enter_async_context(stranger(node, f"127.0.1.{at}", HALF)) for at in (2, 3)
    ]
    assert await many[1].rest() == []
    assert displaced(node) == 2
    for here in (lone, many[2], *others):
        assert not here.transport.is_closing()


async def test_silence_ends_no_handshake_that_is_under_way(stack: AsyncExitStack) -> None:
    """Who has spoken isn't displaced by any number of those who haven't, or by half."""
    node = await stack.enter_async_context(sidecar())
    slow = await stack.enter_async_context(stranger(node, "127.0.1.1", HELLO))
    await eventually(lambda: len(node.sessions.admission.speaking) == 1)
    for at in range(30):
        first = HALF if at % 2 else b""
        await stack.enter_async_context(stranger(node, f"127.0.1.{1 + at % 3}", first))
    await eventually(lambda: displaced(node) >= 20)
    assert not slow.transport.is_closing()
    assert len(node.sessions.admission.speaking) == 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("first", [b"", HALF, b"\x16\x03"], ids=["silent", "half", "tls"])
@pytest.mark.parametrize("secured", [False, True])
async def test_a_stranger_that_goes_leaves_nothing_behind(
    first: bytes, secured: bool, tmp_path: Path
) -> None:
    """Displaced or hung up, at each stage: its file is closed, and its place is free."""
    async with sidecar(tls=OURS.issue(tmp_path, "n1") if secured else None) as node:
        before = open_files()
        async with AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(stranger(node, "127.0.1.1", first))
            await eventually(lambda: node.node.counts.turned_away.total() >= 20 - PLACES)
            await eventually(lambda: open_files() <= before + 20 + PLACES)
        await eventually(lambda: not len(node.sessions.admission))
        await eventually(lambda: open_files() <= before)
        assert not node.sessions.open


def client_hello(tls: Tls) -> bytes:
    """Return the first words of TLS, after which an honest side would go on."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    begun = tls.context().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        begun.do_handshake()
    return outgoing.read()


async def test_half_done_tls_is_counted_and_displaced(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    """Who begins TLS and stops takes a stranger's place; apps with certificates get in."""
    tls = OURS.issue(tmp_path, "n1")
    hello = client_hello(tls)
    node = await stack.enter_async_context(sidecar(tls=tls))
    for at in range(30):
        await stack.enter_async_context(stranger(node, f"127.0.1.{1 + at % 7}", hello))
    await eventually(lambda: displaced(node) >= 30 - 2 * PLACES)
    async with client(node, tls=tls) as asking:
        assert (await asking.check("k", "5/day")).source == "owner"
    assert len(node.sessions.admission) <= 2 * PLACES


async def test_all_of_the_handshake_has_one_deadline(tmp_path: Path) -> None:
    """TLS and ours together: who takes its time over both is ended after one time, not two."""
    tls = OURS.issue(tmp_path, "n1")
    node = Process(config("n1", tls=tls))
    node.sessions.patience = Timeouts(handshake=10.0, look_every=0.01)
    async with node:
        reader, writer = await asyncio.open_connection(node.link.host, node.link.port)
        (arrival,) = await eventually(lambda: list(node.sessions.admission))
        arrival.since -= 9.5  # so long it has been silent
        began = asyncio.get_running_loop().time()
        await writer.start_tls(tls.context())
        peer = Bare(reader, writer)
        assert await peer.error() == Error("timeout", "no handshake within 10 s")
        assert asyncio.get_running_loop().time() - began < 10.0
        writer.close()


async def test_a_handshake_has_few_bytes_in_all() -> None:
    """Two frames that are short enough may be too long together."""
    async with sidecar() as node, bare(node) as peer:
        long = Identity("app", "long", "", link="x" * 4_000)
        await peer.send(long.hello(b"n" * 32))
        await peer.body()
        await peer.send(Proof(b"p" * 200))
        assert (await peer.error()).text == "a handshake of more than 4,096 bytes"


async def test_nodes_are_refused_on_the_unix_socket(tmp_path: Path) -> None:
    """With TLS and no secret, too: there nobody proves anything."""
    path = str(tmp_path / "s")
    tls = OURS.issue(tmp_path, "n1")
    async with sidecar(socket=path, tls=tls) as node:
        async with bare(Address(path=path)) as peer:
            await peer.send(node_named("n2").hello(b"n" * 32))
            error = await peer.error()
        assert error.code == "role"
        assert "nodes are refused on a Unix socket" in error.text
        assert node.node.counts.turned_away == {"role": 1}
        async with bare(Address(path=path), APP) as app:
            await app.ping()


async def test_a_word_that_comes_in_pieces_is_heard() -> None:
    """A slow network may cut a Hello anywhere."""
    async with sidecar() as node, bare(node) as slow:
        for piece in (HELLO[:2], HELLO[2:9], HELLO[9:-1]):
            await slow.send(piece)
            await eventually(lambda: [it.has_begun for it in node.sessions.admission] == [True])
        await slow.send(HELLO[-1:])
        assert await slow.body()


async def test_the_unix_socket_has_bounds_too(tmp_path: Path, stack: AsyncExitStack) -> None:
    path = str(tmp_path / "s")
    node = await stack.enter_async_context(sidecar(socket=path))
    for _ in range(20):
        await stack.enter_async_context(bare(Address(path=path)))
    await eventually(lambda: displaced(node) == 20 - PLACES // 2)
    async with client(f"unix:{path}") as asking:
        assert (await asking.check("k", "5/day")).source == "owner"


async def test_without_files_left_a_stranger_goes_and_an_app_gets_in(
    monkeypatch: pytest.MonkeyPatch, stack: AsyncExitStack
) -> None:
    """Accepting doesn't stop as long as anyone who has proved nothing holds a file."""
    node = await stack.enter_async_context(sidecar())
    silent = await stack.enter_async_context(stranger(node, "127.0.1.1"))
    await eventually(lambda: len(node.sessions.admission.silent) == 1)
    accept, failures = socket.socket.accept, iter([OSError(24, "Too many open files")])

    def without_files(listening: socket.socket) -> object:
        if error := next(failures, None):
            raise error
        return accept(listening)

    monkeypatch.setattr(socket.socket, "accept", without_files)
    async with client(node) as asking:
        assert (await asking.check("k", "5/day")).source == "owner"
    assert await silent.rest() == []
