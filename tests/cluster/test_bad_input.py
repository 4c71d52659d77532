"""Bad input at a running sidecar: its own clear error, and nobody else notices.

The fuzzing takes SIDEGATE_FUZZ_FRAMES frames (20,000 unless told). A million, as for a release:

    SIDEGATE_FUZZ_FRAMES=1000000 make test PYTEST_ARGS="-k million --log-cli-level=info"
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
import pytest_asyncio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidegate.protocol.codec import MAX_FRAME_BYTES, Framer, WireError, decode, encode
from sidegate.protocol.handshake import Accepting, Dialling, Identity
from sidegate.protocol.messages import (
    MAX_CHECKS,
    MAX_KEY_BYTES,
    Answers,
    Checks,
    Error,
    Hello,
    Holdings,
    Inspect,
    Ping,
    Pong,
    Proof,
    Reset,
    Roster,
    Welcome,
)
from sidegate.trust.secrets import known
from tests.cluster.bare import APP, Bare, bare, checks, frame, node_named
from tests.cluster.cluster import cluster, eventually, key_of, sources, witness

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from sidegate.buckets.decision import Decision
    from sidegate.protocol.messages import Message
    from sidegate_sidecar.process import Process

log = logging.getLogger("sidegate")

FRAMES = int(os.environ.get("SIDEGATE_FUZZ_FRAMES", "20000"))
NONCE = b"n" * 32
SECRET = b"hush"


@dataclass
class Watched:
    """A sidecar, and what a client got that asks it all the time, for a key of another sidecar."""

    node: Process
    decisions: list[Decision]
    seen: int = 0

    async def unmoved(self, turned_away: dict[str, int] | None = None) -> None:
        """Check that the client noticed nothing since last time, and what was counted is so."""
        counted = self.node.node.counts.turned_away
        await eventually(lambda: counted == (turned_away or {}))
        more = len(self.decisions) + 5
        await eventually(lambda: len(self.decisions) >= more)
        assert sources(self.decisions[self.seen :]).keys() == {"owner"}
        self.seen = len(self.decisions)
        await eventually(lambda: len(self.node.sessions.open) == 2)  # the client's, and n2's
        assert self.node.cluster.agrees
        counted.clear()


@asynccontextmanager
async def watched(**options: object) -> AsyncGenerator[Watched]:
    """Run two sidecars and a client that asks one about a key of the other, all the time."""
    secret = options.get("secret", b"")
    async with cluster("n1", "n2", **options) as (one, _):
        key = key_of("n2", one.cluster.ring)
        async with witness(one, key, secret=secret) as decisions:
            yield Watched(one, decisions)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing() -> AsyncGenerator[Watched]:
    """Run sidecars for many tests: none of what strangers do makes a difference to the next."""
    async with watched() as it:
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secretive() -> AsyncGenerator[Watched]:
    """Run sidecars with a secret for many tests."""
    async with watched(secret=SECRET) as it:
        yield it


together = pytest.mark.asyncio(loop_scope="module")
"""For tests that use one of these."""


# One thing that is wrong


@dataclass(frozen=True)
class Wrong:
    """Bytes that a stranger sends, or an app once it has shaken hands, and what it hears."""

    name: str
    data: bytes
    text: str  # in the error
    code: str = "bad-message"

    def __str__(self) -> str:
        return self.name


def pack(*values: object) -> bytes:
    """Return a frame with any values."""
    return frame(msgspec.msgpack.encode(values))


def hello(**changes: object) -> bytes:
    return encode(msgspec.structs.replace(APP.hello(NONCE), **changes))


TOO_LONG = "frame-too-long"

STRANGERS = [
    Wrong("a web browser", b"GET / HTTP/1.1\r\n\r\n", "at most 4,096", TOO_LONG),
    Wrong("a client of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "at most 4,096", TOO_LONG),
    Wrong("redis-cli", b"*1\r\n$4\r\nPING\r\n", "at most 4,096", TOO_LONG),
    Wrong("a long frame", frame(b"x" * 5_000), "a frame of 5,000 bytes", TOO_LONG),
    Wrong("a frame of 2 MiB", frame(b"x" * (2 << 20)), "a frame of 2,097,152 bytes", TOO_LONG),
    Wrong("an empty frame", frame(b""), "not a message of version 1"),
    Wrong("no MessagePack", frame(b"\xc1\xc1"), "not a message of version 1"),
    Wrong("a number", frame(b"\x05"), "not a message of version 1"),
    Wrong("a text", frame(b"\xa5hello"), "not a message of version 1"),
    Wrong("an unknown kind", pack(99, "what"), "not a message of version 1"),
    Wrong("half a Hello", pack(0, 1, "app"), "not a message of version 1"),
    Wrong("a Hello of numbers", pack(0, 1, 2, 3, 4, 5, 6), "not a message of version 1"),
    Wrong("version 2", hello(version=2), "version 2 is not spoken here, only 1", "version"),
    Wrong("version 0", hello(version=0), "version 0 is not spoken here", "version"),
    Wrong("another Hello in version 7", pack(0, 7, {"new": True}), "version 7", "version"),
    Wrong("a short nonce", hello(nonce=b"short"), "a nonce of 5 bytes, not 32"),
    Wrong("an unknown role", hello(role="king"), "role 'king'"),
    Wrong("no name", hello(name=""), "a name must have 1 to 253"),
    Wrong("a long name", hello(name="x" * 254), "a name must have 1 to 253"),
    Wrong("a name that rings", hello(name="\a"), "a name must have 1 to 253"),
    Wrong("another cluster", hello(cluster="red"), "cluster 'sidegate', not 'red'", "cluster"),
    Wrong("checks at once", encode(checks(1, ("k", "5/day", 1))), "expected hello, got checks"),
    Wrong("a proof at once", encode(Proof(b"p" * 32)), "expected hello, got proof"),
    Wrong("two Hellos", hello() * 2, "expected proof, got hello"),
    Wrong("a Hello and checks", hello() + encode(Checks(1, 0, 1, [])), "expected proof, got check"),
    Wrong("a Hello and nonsense", hello() + frame(b"\xc1"), "not a message of version 1"),
    Wrong("a node of my name", encode(node_named("n1").hello(NONCE)), "named 'n1'", "namesake"),
    Wrong("a node nowhere", encode(node_named("n9", "nowhere").hello(NONCE)), "'nowhere'"),
]


@together
@pytest.mark.parametrize("wrong", STRANGERS, ids=str)
async def test_a_stranger_that_does_wrong_hears_what(standing: Watched, wrong: Wrong) -> None:
    """Whoever doesn't open as the protocol says gets an error that names it, and the end."""
    async with bare(standing.node) as stranger:
        await stranger.send(wrong.data)
        error = await stranger.error()
        assert (error.code, wrong.text in error.text) == (wrong.code, True), error
    await standing.unmoved({wrong.code: 1})


A_CHECK = ["k", "5/day", 1]

APPS = [
    Wrong("a frame of 2 MiB", frame(b"x" * (2 << 20)), "a frame of 2,097,152 bytes", TOO_LONG),
    Wrong("a length of 4 GiB", b"\xff" * 4, "a frame of 4,294,967,295 bytes", TOO_LONG),
    Wrong("an empty frame", frame(b""), "not a message"),
    Wrong("a second Hello", hello(), "a hello has no place here"),
    Wrong("a second Proof", encode(Proof(b"p" * 32)), "a proof has no place here"),
    Wrong("a Welcome", encode(Welcome(b"w" * 32)), "a welcome has no place here"),
    Wrong("answers", encode(Answers(1, "owner", "n1", None, [[1]])), "answers has no place"),
    Wrong("a Pong", encode(Pong(1)), "a pong has no place here"),
    Wrong("a ring", encode(Roster("d", [("n9", "127.0.0.1:9")])), "a roster has no place here"),
    Wrong("holdings", encode(Holdings(1, "owner", "n1", [])), "a holdings has no place here"),
    Wrong("an unknown kind", pack(42), "not a message"),
    Wrong("no budget", pack(3, 1, 0), "not a message"),
    Wrong("a budget below 0", pack(3, 1, 0, -1, [A_CHECK]), "$[3]"),
    Wrong("hops below 0", pack(3, 1, -1, 1, [A_CHECK]), "$[2]"),
    Wrong("too many checks", pack(3, 1, 0, 1, [A_CHECK] * (MAX_CHECKS + 1)), "length <= 4096"),
    Wrong("a check of two", pack(3, 1, 0, 1, [["k", "5/day"]]), "$[4][0]"),
    Wrong("a check of four", pack(3, 1, 0, 1, [[*A_CHECK, 1]]), "$[4][0]"),
    Wrong("a key of bytes", pack(3, 1, 0, 1, [[b"k", "5/day", 1]]), "$[4][0][0]"),
    Wrong("no key", pack(3, 1, 0, 1, [[None, "5/day", 1]]), "$[4][0][0]"),
    Wrong("a cost of a half", pack(3, 1, 0, 1, [["k", "5/day", 0.5]]), "$[4][0][2]"),
    Wrong("a cost as text", pack(3, 1, 0, 1, [["k", "5/day", "1"]]), "$[4][0][2]"),
    Wrong(
        "a key that is no UTF-8",
        frame(b"\x95\x03\x01\x00\x01\x91\x93\xa1\xff\xa55/day\x01"),
        "not a message",
    ),
    Wrong("brackets without end", frame(b"\x91" * 100_000), "not a message"),
    Wrong("a list of 4 billion", frame(b"\x95\x03\x01\x00\x01\xdd\xff\xff\xff\xff"), "not a mess"),
    Wrong("a text of 4 billion", frame(b"\x93\x08\x01\x00\xdb\xff\xff\xff\xff"), "not a message"),
    Wrong("more than a message", frame(encode(Ping(1))[4:] + b"\x00"), "not a message"),
    Wrong("a timestamp", frame(b"\xd6\xff\x00\x00\x00\x00"), "not a message"),
    Wrong("a long key to inspect", encode(Inspect(1, 0, "k" * 10_000)), "10000 bytes", "bad-key"),
    Wrong("a long key to reset", encode(Reset(1, 0, "é" * 257)), "514 bytes", "bad-key"),
]


@together
@pytest.mark.parametrize("wrong", APPS, ids=str)
async def test_an_app_that_does_wrong_hears_what(standing: Watched, wrong: Wrong) -> None:
    """A message that is none, or has no place, gets an error that names it, and the end."""
    async with bare(standing.node, APP) as app:
        await app.send(Ping(1), wrong.data)
        *before, error = await app.rest()
        assert isinstance(error, Error)
        assert (error.code, wrong.text in error.text) == (wrong.code, True), error
        assert before in ([Pong(1)], [])  # nothing, when the frame behind it can't be cut
    await standing.unmoved({wrong.code: 1})


@together
@pytest.mark.parametrize("size", [1, 3, 4, 5, 20])
async def test_half_a_frame_and_the_end_are_no_news(standing: Watched, size: int) -> None:
    """Who goes away in the middle of a frame, shaken hands or not, leaves nothing behind."""
    data = encode(checks(1, ("k", "5/day", 1)))[:size]
    for me in (None, APP) * 10:
        async with bare(standing.node, me) as leaving:
            await leaving.send(data)
    await standing.unmoved()


@together
async def test_cut_connections_are_no_news(standing: Watched) -> None:
    """Who cuts its connections, in the middle of answers too, leaves nothing behind."""
    asked = checks(1, *((f"k{at}", "5/day", 1) for at in range(1_000)))
    for _ in range(20):
        async with bare(standing.node, APP) as leaving:
            await leaving.send(asked, asked)
            leaving.transport.abort()
    await standing.unmoved()


# Secrets


async def secret_error(node: Process, me: Identity) -> str:
    async with bare(node) as stranger:
        handshake = Dialling(me, NONCE, "")
        await stranger.send(handshake.opening())
        body = await stranger.body()
        assert body is not None
        await stranger.send(handshake.receive(body))
        error = await stranger.error()
    assert error.code == "secret"
    return error.text


@together
@pytest.mark.parametrize("secret", [b"", b"Hush", b"hush ", b"\0", b"x" * 1_000])
@pytest.mark.parametrize("role", ["app", "node"])
async def test_a_wrong_secret_is_told_so(secretive: Watched, secret: bytes, role: str) -> None:
    """Apps and nodes without the secret hear that it isn't the same, and learn no proof."""
    me = Identity(role, "n9", "", known(secret), "127.0.0.1:9")
    assert await secret_error(secretive.node, me) == "the two sides don't have the same secret"
    await secretive.unmoved({"secret": 1})


@together
async def test_a_replayed_handshake_is_refused(secretive: Watched) -> None:
    """The very bytes that let an app in don't let anyone in again."""
    handshake = Dialling(Identity("app", "shop", "", known(SECRET)), NONCE, "")
    sent = [handshake.opening()]
    async with bare(secretive.node) as honest:
        await honest.send(sent[0])
        await honest.shake_hands(handshake, sent)
        await honest.send(Ping(1))
        assert await honest.next() == Pong(1)
    for _ in range(3):
        async with bare(secretive.node) as thief:
            await thief.send(*sent, Ping(2))
            theirs, error = await thief.rest()
            assert isinstance(theirs, Hello)
            assert isinstance(error, Error)
            assert error.code == "secret"
    await secretive.unmoved({"secret": 3})


@together
async def test_our_own_proof_does_not_let_anyone_in(secretive: Watched) -> None:
    """What a sidecar sends can't be sent back to it, on this or another connection."""
    async with bare(secretive.node) as first, bare(secretive.node) as second:
        await first.send(hello())
        theirs = await first.body()
        assert theirs is not None
        await second.send(frame(theirs))  # its own words
        assert (await second.error()).code == "self"
        await first.send(Proof(theirs[:32]))
        assert (await first.error()).code == "secret"
    await secretive.unmoved({"self": 1, "secret": 1})


async def test_the_unix_socket_asks_apps_for_nothing_and_takes_no_nodes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The file system guards the Unix socket, for apps; no node has any business there."""
    path = f"{tmp_path_factory.mktemp('s')}/s"
    async with cluster("n1", secret=SECRET, socket=path) as (node,), witness(node, secret=SECRET):
        at = node.config.link.__class__(path=path)
        async with bare(at) as app:
            await app.send(APP.hello(NONCE), Proof(b"any"), Ping(1))
            kinds = [type(await app.next()) for _ in range(3)]
            assert kinds == [Hello, Welcome, Pong]
        async with bare(at) as other:
            await other.send(node_named("n9").hello(NONCE), Proof(b"any"))
            assert (await other.error()).code == "role"


# Anything at all: the codec

IDENTITY = Identity("node", "n1", "sidegate", link="127.0.0.1:1")


def approve(_: Hello) -> None:
    """Let everybody in."""


def take(data: bytes) -> list[Message]:
    """Return all messages in some bytes. Only WireError may come out of bytes."""
    return [decode(body) for body in Framer().feed(data)]


numbers = st.integers(0, 2**63)
words = st.text(max_size=9)
messages = st.one_of(
    st.builds(Checks, numbers, numbers, numbers, st.just([("k", "1/d", 1)])),
    st.builds(Ping, numbers),
    st.builds(Inspect, numbers, numbers, words),
    st.builds(Hello, numbers, words, words, words, st.binary(max_size=40), words),
    st.builds(Roster, words, st.lists(st.tuples(words, words), max_size=3)),
)


@given(st.binary(max_size=200))
@example(b"\0\0\0\0")
@example(b"\x91" * 200)
def test_any_bytes_are_messages_or_an_error(data: bytes) -> None:
    """Nothing but a WireError comes out of the codec, whatever goes in, framed or not."""
    for stream in (data, frame(data)):
        with suppress(WireError):
            take(stream)


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_bytes_are_a_handshake_or_an_error(bodies: list[bytes]) -> None:
    """Nothing but a WireError comes out of either side of a handshake."""
    for handshake in (Accepting(IDENTITY, NONCE, approve=approve), Dialling(APP, NONCE, "")):
        with suppress(WireError):
            for body in bodies:
                assert not handshake.done
                handshake.receive(body)


@given(st.data(), messages)
@settings(max_examples=300)
def test_messages_with_a_few_bytes_changed_are_messages_or_an_error(
    data: st.DataObject, message: Message
) -> None:
    """A message that was damaged on its way is another message or an error, nothing worse."""
    body = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        take(bytes(body))
    with suppress(WireError):
        Accepting(IDENTITY, NONCE, approve=approve).receive(bytes(body[4:]))


# A million frames: random ones, and valid ones with something changed


def originals() -> list[Message]:
    """Return messages of each kind, as they might come."""
    asked = [(f"user:{at}", "5/day; 100/hour burst 7", at % 7) for at in range(12)]
    return [
        APP.hello(NONCE),
        node_named("n9").hello(NONCE),
        Proof(b"p" * 32),
        Welcome(b"w" * 32),
        Checks(1, 0, 50_000, asked),
        Checks(2**40, 1, 1, asked[:1]),
        Checks(3, 0, 0, []),
        Answers(1, "owner", "n1", [0, 2], [[1, 10**15], "no such limit"]),
        Ping(7),
        Pong(7),
        Roster("d" * 16, [("n1", "127.0.0.1:1"), ("n9", "[::1]:9")]),
        Inspect(8, 0, "user:1"),
        Reset(9, 0, "user:2"),
        Holdings(1, "owner", "n1", [("5/day", 10**15)]),
        Error("busy", "no more fit"),
    ]


MAY_SAY = (Checks, Ping, Inspect, Reset)
"""What an app may say."""

BODIES = [encode(message)[4:] for message in originals()]
QUESTIONS = [encode(message)[4:] for message in originals() if isinstance(message, MAY_SAY)]


def spoiled(random: Random) -> bytes:
    """Return a body that was changed in one to four places, or is nothing but chance."""
    if random.random() < 0.1:
        return random.randbytes(random.randrange(64))
    body = bytearray(random.choice(BODIES))
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(body) + 1)
        match random.randrange(5):
            case 0:
                body[at : at + 1] = random.randbytes(1)
            case 1:
                del body[at : at + random.randrange(1, 4)]
            case 2:
                body[at:at] = random.randbytes(random.randrange(1, 4))
            case 3:
                body[at:] = random.choice(BODIES)[random.randrange(10) :]
            case _:
                body[at : at + 1] = random.choice((b"\xff", b"\x00", b"\xdd", b"\xc1", b"\xcf"))
    return bytes(body)


def scratched(random: Random) -> bytes:
    """Return a question with another letter or number somewhere: as a rule another question."""
    body = bytearray(random.choice(QUESTIONS))
    letters = [at for at, byte in enumerate(body) if chr(byte).isalnum()]
    if letters:
        body[random.choice(letters)] = random.randrange(32, 127)
    return bytes(body)


def fuzzed(random: Random) -> bytes:
    """Return a frame that is only scratched, or spoiled, or has a wrong length."""
    body = scratched(random) if random.random() < 0.95 else spoiled(random)
    length = len(body) if random.random() < 0.999 else random.randrange(1 << 32)
    return length.to_bytes(4, "big") + body


def resident() -> int:
    """Return the bytes of memory that this process has."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def outcome(data: bytes, take: Callable[[bytes], object]) -> str:
    """Return "taken", or the code of the WireError that was raised; all else is a failure."""
    try:
        take(data)
    except WireError as error:
        return error.code
    return "taken"


def handshaken(*before: bytes) -> Callable[[bytes], object]:
    """Return an accepting side that has got so far."""
    handshake = Accepting(IDENTITY, NONCE, approve=approve)
    for body in before:
        handshake.receive(body)
    return handshake.receive


def test_a_million_frames_at_the_codec() -> None:
    """Framer, codec and handshake make messages or WireErrors of all frames, nothing else."""
    random = Random(1)
    outcomes = Counter[str]()
    before = resident()
    for _ in range(FRAMES):
        data = fuzzed(random)
        outcomes[outcome(data, take)] += 1
        for so_far in ((), BODIES[:1]):
            outcomes[f"handshake {outcome(data[4:], handshaken(*so_far))}"] += 1
    grown = resident() - before
    log.info("%s frames at the codec: %s, %d MiB more", f"{FRAMES:,}", outcomes, grown >> 20)
    assert outcomes["taken"] > FRAMES / 2
    assert outcomes["bad-message"] > FRAMES / 50
    assert grown < 32 << 20


FAREWELL = Ping(2**62)


def deserved(data: bytes) -> tuple[set[str], int]:
    """Return with which errors a sidecar may end a connection, "" for none, and after how many."""
    codes: set[str] = set()
    looked_at = 0
    try:
        for looked_at, body in enumerate(Framer().feed(data), 1):
            message = decode(body)
            if isinstance(message, Error):
                return {*codes, "refused"}, looked_at
            if not isinstance(message, MAY_SAY):
                return {*codes, "bad-message"}, looked_at
            if isinstance(message, (Inspect, Reset)) and len(message.key) > MAX_KEY_BYTES:
                codes.add("bad-key")  # in its own time: what is behind it may be answered
    except WireError as error:
        return {*codes, error.code}, looked_at
    return codes or {""}, looked_at


async def ending(app: Bare) -> str:
    """Read to the farewell, or to the end; return the code of the error that was said."""
    while (message := await app.next()) is not None:
        if isinstance(message, Error):
            return message.code
        if message == Pong(FAREWELL.id):
            return ""
    return "refused"


@together  # it takes long: those that stand must not stand still meanwhile
async def test_a_million_frames_at_a_sidecar() -> None:
    """Each connection ends exactly as its frames deserve, and the sidecar is as it was before."""
    random = Random(2)
    opening = hello() + encode(Proof(b"any"))
    looked_at, endings = 0, Counter[str]()
    async with watched(max_memory=4 << 20) as it:
        before = resident()
        while looked_at < FRAMES:
            data = b"".join(fuzzed(random) for _ in range(random.randrange(1, 60)))
            codes, count = deserved(data + encode(FAREWELL))
            async with bare(it.node) as app:
                await app.send(opening, data, FAREWELL)
                code = await ending(app)
            assert code in codes, data
            endings[code] += 1
            looked_at += count
        await eventually(lambda: len(it.node.sessions.open) == 2)
        grown = resident() - before
    of = f"{looked_at:,} frames on {endings.total():,} connections"
    log.info("%s: %s, %d MiB more", of, endings, grown >> 20)
    assert grown < 64 << 20


@together
async def test_checks_that_are_almost_right_are_decided_or_told_why(standing: Watched) -> None:
    """Frames of checks with odd keys, limits and costs are all answered, each check once."""
    random = Random(3)
    odd_limits = ["5/day", "", "x", "5/day" * 300, "1/s;" * 8, "9" * 30 + "/day", "1/day burst 0"]
    odd_costs = [0, 1, 5, 6, -1, 2**62, -(2**62)]
    odd_keys = ["", "k", "\0", "x" * 512, "x" * 513, "é" * 300, "🂡" * 200]
    async with bare(standing.node, APP) as app:
        for number in range(200):
            asked = [
                (random.choice(odd_keys), random.choice(odd_limits), random.choice(odd_costs))
                for _ in range(random.randrange(1, 50))
            ]
            await app.send(checks(number, *asked))
            answered: list[int] = []
            while len(answered) < len(asked):
                part = await app.next()
                assert isinstance(part, Answers)
                assert part.id == number
                answered += range(len(asked)) if part.positions is None else part.positions
            assert sorted(answered) == list(range(len(asked)))
    await standing.unmoved()


@together
async def test_the_longest_frames_there_may_be_are_taken(standing: Watched) -> None:
    """Frames of just 1 MiB are read whole, and what is in them is told to be wrong, not them."""
    key = "k" * (MAX_FRAME_BYTES - 40)
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(bare(standing.node, APP)) for _ in range(4)]
        for app in apps:
            await app.send(checks(1, (key, "5/day", 1), budget=1))
            answers = await app.next()
            assert isinstance(answers, Answers)
            [reason] = answers.answers
            assert isinstance(reason, str)
            assert f"key of {len(key)} bytes" in reason
    await standing.unmoved()
