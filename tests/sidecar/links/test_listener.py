"""TLS with certificates on both sides: who gets in, and certificates that change meanwhile."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from sidegate.link.address import Address, parse_address
from sidegate.trust.tls import Tls
from sidegate_sidecar.links.admission.admission import Admission
from sidegate_sidecar.links.listener import Listener, first_word
from sidegate_sidecar.links.sockets import listen
from tests.support.certificates import Authority
from tests.support.in_process.cluster import (
    admitted,
    are_one_ring,
    client,
    clients,
    cluster,
    eventually,
    eventually_answered,
    link_of,
    running,
    sources,
    witness,
)
from tests.support.in_process.puppets import bare

FIRST_RECORD = b"\x16\x03\x01\0\1\1"  # whole, but holds only the first byte of its message
ALERT = b"\x15"  # how TLS says that something is wrong

OURS = Authority("ours")
THEIRS = Authority("theirs")


class Echo(asyncio.Protocol):
    """Says what it hears."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@asynccontextmanager
async def listening(
    tls: Tls, protocol: type[asyncio.Protocol], **options: float
) -> AsyncGenerator[tuple[Address, Admission]]:
    """Listen with certificates; whoever has done TLS speaks with a protocol."""
    socket = listen("link", parse_address("127.0.0.1:0"))
    admission = Admission(lambda _: None, 1_024)
    listener = Listener(socket, admission, lambda _arrival, _channel: protocol(), tls, **options)
    await listener.start()
    yield parse_address("{}:{}".format(*socket.getsockname())), admission
    await listener.close()


@pytest.fixture
def ours(tmp_path: Path) -> Tls:
    return OURS.issue(tmp_path / "ours", "n1")


@pytest.fixture
def theirs(tmp_path: Path) -> Tls:
    return THEIRS.issue(tmp_path / "theirs", "n1")


# Who gets in


async def test_a_cluster_with_certificates_limits_as_one(ours: Tls) -> None:
    """Three sidecars and their clients with certificates of one CA admit exactly the limit."""
    async with cluster("n1", "n2", "n3", tls=ours) as nodes, clients(*nodes, tls=ours) as asking:
        decisions = await asyncio.gather(
            *(asking[at % 3].check(f"key{at % 5}", "20/day") for at in range(600))
        )
    assert admitted(decisions) == 100
    assert sources(decisions) == {"owner": 600}


async def test_a_certificate_and_a_secret_are_both_asked_for(ours: Tls) -> None:
    async with cluster("n1", tls=ours, secret=b"hush") as (node,):
        async with witness(node, tls=ours, secret="hush"), client(node, tls=ours) as asking:
            assert (await asking.check("k", "5/day")).source == "open"
        assert node.node.counts.turned_away["secret"] == 1


async def test_the_unix_socket_needs_no_certificate(
    ours: Tls, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """TLS is for TCP: who may open the Unix socket needs neither certificate nor secret."""
    path = f"{tmp_path_factory.mktemp('s')}/s"
    async with (
        cluster("n1", tls=ours, secret=b"hush", socket=path),
        client(f"unix:{path}", tls=ours) as asking,
    ):
        assert (await asking.check("k", "5/day")).source == "owner"


@pytest.mark.parametrize("who", ["plain", "without", "of_another_ca"])
async def test_a_client_without_our_certificate_is_refused(
    ours: Tls, theirs: Tls, who: str
) -> None:
    """Without TLS, without a certificate, or with one of another CA no word is exchanged."""
    async with cluster("n1", tls=ours) as (node,), witness(node, tls=ours):
        context = ssl.create_default_context(cafile=ours.ca)
        context.check_hostname = False
        if who == "of_another_ca":
            context.load_cert_chain(theirs.cert, theirs.key)
        reader, writer = await asyncio.open_connection(
            node.link.host, node.link.port, ssl=None if who == "plain" else context
        )
        writer.write(b"\0" * 100)
        with pytest.raises((OSError, EOFError)):  # an alert, or the end without one
            await reader.readexactly(1)
        writer.close()
        assert len(node.sessions.open) == 1  # the witness


async def test_a_client_refuses_a_sidecar_of_another_ca(ours: Tls, theirs: Tls) -> None:
    async with cluster("n1", tls=ours) as (node,), client(node, tls=theirs, budget=2.0) as asking:
        assert (await asking.check("k", "5/day")).source == "open"
        assert "CERTIFICATE_VERIFY_FAILED" in link_of(asking).refusal


async def test_a_node_of_another_ca_stays_off_the_ring(
    stack: AsyncExitStack, ours: Tls, theirs: Tls
) -> None:
    one = await running(stack, "n1", tls=ours)
    other = await running(stack, "n2", one, tls=theirs)
    [link] = await eventually(lambda: other.peers.strangers)
    await eventually(lambda: link.refusal)
    assert "certificate" in link.refusal.lower()
    await eventually(lambda: one.ready and other.discovery.refusal)
    assert not other.ready
    assert (one.cluster.ring.nodes, other.cluster.ring.nodes) == (("n1",), ())


async def test_failed_handshakes_take_no_room(ours: Tls) -> None:
    async with cluster("n1", tls=ours, max_connections=3) as (node,), witness(node, tls=ours):
        for _ in range(20):
            async with bare(node) as stranger:  # without TLS
                await stranger.send(b"\0" * 100)
                assert (await stranger.raw())[:1] in {b"", ALERT}
        async with client(node, tls=ours) as asking:
            assert (await asking.check("k", "5/day")).source == "owner"
        assert node.node.counts.turned_away == {"tls": 20}


async def test_a_connection_that_never_begins_tls_takes_no_room_and_stops_nothing(
    stack: AsyncExitStack, ours: Tls
) -> None:
    """Connections silent before TLS don't count, and stop neither the sweep nor the end."""
    [node] = await stack.enter_async_context(cluster("n1", tls=ours, max_connections=3))
    for _ in range(5):
        await stack.enter_async_context(bare(node))
    asking = await stack.enter_async_context(client(node, tls=ours))
    assert (await asking.check("k", "5/day")).source == "owner"
    assert len(node.sessions.open) == 1


async def test_a_handshake_of_tls_that_takes_too_long_is_ended(ours: Tls) -> None:
    """Who connects and never begins TLS is closed, and the protocol hears that it was lost."""
    lost: list[Exception | None] = []

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(exc)

    async with listening(ours, Protocol, shake_within=0.05) as (address, admission):
        async with bare(address) as slow:
            await slow.send(FIRST_RECORD)
            assert await slow.raw() == b""
            await eventually(lambda: lost)
        assert isinstance(lost[0], ConnectionAbortedError)
        assert not len(admission)


@pytest.mark.parametrize(
    ("said", "tls", "size"),
    [
        (b"\0", False, 4),
        (b"\0\0\1\0", False, 260),
        (b"\0\0\1\0more", False, 260),
        (b"\0\0\x10\0", False, 4_100),
        (b"\0\0\x10\1", False, 4),
        (b"HTTP", False, 4),
        (b"\x16\3", True, 5),
        (b"\x16\3\1\1\0", True, 261),
        (b"\x16\3\1\xff\xff", True, 5),
        (b"GET /", True, 5),
    ],
)
def test_how_long_a_first_word_is(said: bytes, tls: bool, size: int) -> None:
    """One that isn't whole is waited for; one that can't be right is refused at once."""
    assert first_word(said, tls=tls) == size


async def test_the_time_for_tls_counts_from_when_a_connection_is_accepted(ours: Tls) -> None:
    """Who was silent for long before it begins TLS has no more time for it."""
    async with (
        listening(ours, Echo, shake_within=60) as (address, admission),
        bare(address) as slow,
    ):
        (arrival,) = await eventually(lambda: list(admission.silent))
        arrival.since -= 60
        await slow.send(FIRST_RECORD)
        assert await slow.raw() == b""


# Certificates that change


def put(into: Tls, new: Tls) -> None:
    """Replace files like a tool that renews certificates does: one after the other."""
    for old, fresh in ((into.cert, new.cert), (into.key, new.key), (into.ca, new.ca)):
        shutil.copyfile(fresh, f"{old}.new")
        shutil.move(f"{old}.new", old)


async def shown_by(at: Address, with_: Tls) -> bytes:
    """Return the certificate that the listening side shows to a new connection."""
    reader, writer = await asyncio.open_connection(at.host, at.port, ssl=with_.context())
    shown = cast("ssl.SSLObject", writer.get_extra_info("ssl_object")).getpeercert(True)
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    writer.close()
    await writer.wait_closed()
    assert shown is not None
    return shown


@pytest.fixture
async def echoing(tmp_path: Path) -> AsyncGenerator[tuple[Address, Tls]]:
    """Run an echo with certificates that are looked at all the time."""
    tls = OURS.issue(tmp_path / "listening", "n1")
    async with listening(tls, Echo, look_every=0.01) as (at, _):
        yield at, tls


async def until_shown(at: Address, with_: Tls, expected: bytes) -> None:
    await eventually_answered(lambda: shown_by(at, with_), lambda shown: shown == expected)


def der(tls: Tls) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(tls.cert).read_text())


async def test_new_connections_use_new_certificates(
    echoing: tuple[Address, Tls], ours: Tls, tmp_path: Path
) -> None:
    """Files replaced on disk are used without a restart, again and again; old connections go on."""
    at, tls = echoing
    reader, writer = await asyncio.open_connection(at.host, at.port, ssl=ours.context())
    assert await shown_by(at, ours) == der(tls)
    for number in range(3):
        new = OURS.issue(tmp_path / f"new{number}", "n1")
        put(tls, new)
        await until_shown(at, ours, der(new))
    writer.write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    writer.close()
    await writer.wait_closed()


async def test_a_new_ca_replaces_the_old_one(
    echoing: tuple[Address, Tls], ours: Tls, theirs: Tls
) -> None:
    """After the CA is replaced its clients get in, and those of the old one don't."""
    at, tls = echoing
    put(tls, theirs)
    await until_shown(at, theirs, der(theirs))
    with pytest.raises(OSError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        await shown_by(at, ours)


async def test_unusable_certificates_change_nothing_until_they_are_usable(
    echoing: tuple[Address, Tls], ours: Tls, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half-written files are reported, and the last usable ones go on until new ones are whole."""
    at, tls = echoing
    before = der(tls)
    new = OURS.issue(tmp_path / "new", "n1")
    shutil.copyfile(new.key, tls.key)  # a key that isn't of the certificate
    await eventually(lambda: "are not usable yet" in caplog.text)
    assert await shown_by(at, ours) == before
    shutil.copyfile(new.cert, tls.cert)
    await until_shown(at, ours, der(new))


async def test_no_connection_is_refused_while_certificates_change(
    echoing: tuple[Address, Tls], ours: Tls, tmp_path: Path
) -> None:
    at, tls = echoing
    seen: set[bytes] = set()
    for number in range(6):
        put(tls, OURS.issue(tmp_path / f"new{number}", "n1"))
        seen |= set(await asyncio.gather(*(shown_by(at, ours) for _ in range(8))))
    assert len(seen) >= 2


async def test_a_sidecar_shows_new_certificates_to_new_links(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """A cluster goes on while its certificates are replaced, and new nodes join with the new CA."""
    tls = OURS.issue(tmp_path / "cluster", "n1")
    nodes = await stack.enter_async_context(cluster("n1", "n2", tls=tls))
    await stack.enter_async_context(witness(nodes[0], tls=tls))
    put(tls, THEIRS.issue(tmp_path / "new", "n1"))
    newcomer = await running(stack, "n3", nodes[0], tls=tls)
    await eventually(lambda: are_one_ring([*nodes, newcomer]))
