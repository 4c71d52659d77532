"""Bad input at a running sidecar: its own clear error, and nobody else notices."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import pytest

from sidegate.protocol.codec import MAX_FRAME_BYTES, encode
from sidegate.protocol.messages import (
    MAX_CHECKS,
    Answers,
    Checks,
    Error,
    Holdings,
    Inspect,
    Ping,
    Pong,
    Proof,
    Reset,
    Roster,
    Welcome,
)
from tests.cluster.hostile.watched import NONCE, Watched, hello, pack, together
from tests.support.in_process.puppets import APP, bare, checks, frame, node_named


@dataclass(frozen=True)
class Wrong:
    """Bytes that a stranger sends, or an app once it has shaken hands, and what it hears."""

    name: str
    data: bytes
    text: str  # in the error
    code: str = "bad-message"

    def __str__(self) -> str:
        return self.name


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
