"""Accepted connections: what they may do, how long they may take, how many there may be."""

from contextlib import AsyncExitStack

import pytest

from sidegate.protocol.codec import decode
from sidegate.protocol.messages import (
    Answers,
    Buckets,
    Checks,
    Error,
    Forget,
    Gossip,
    Holdings,
    Inspect,
    Merged,
    NodeMessage,
    Part,
    Ping,
    Pong,
    Pull,
    Pulled,
    Reset,
    Resets,
    Roster,
)
from sidegate_ring.membership.membership import SwimKind
from sidegate_sidecar.links.inspections import MAX_OF_ONE
from sidegate_sidecar.replication.merging import MAX_BUCKETS
from tests.sidecar.links.accepting import sidecar, turned_away
from tests.support.in_process.beside import meet
from tests.support.in_process.cluster import eventually, witness
from tests.support.in_process.puppets import APP, bare, checks, node_named, puppet

DAY = 86_400 * 10**9  # ns

# What they may do


async def test_a_ping_is_answered_with_its_number() -> None:
    """A ping gets its pong, between other questions and in their order."""
    async with sidecar() as node, bare(node, APP) as peer:
        await peer.send(Ping(5), checks(6, ("k", "1/day", 1)), Ping(7))
        told = [await peer.next() for _ in range(3)]
    assert [told[0], told[2]] == [Pong(5), Pong(7)]
    assert isinstance(told[1], Answers)
    assert (told[1].id, told[1].source, told[1].node, told[1].positions) == (6, "owner", "n1", None)


async def test_a_new_side_is_told_the_ring_at_once() -> None:
    """The first message after the handshake says which nodes there are, and where."""
    async with sidecar() as node, bare(node, APP) as peer:
        await peer.send(Ping(1))
        told = [await peer.body(), await peer.body()]
        roster = Roster(node.cluster.ring.digest, [("n1", str(node.link))])
        assert [decode(body) for body in told if body] == [roster, Pong(1)]


async def test_a_change_of_the_ring_is_told_at_once() -> None:
    """An app hears of a new node when the ring changes, not at the next look."""
    async with sidecar() as node, bare(node, APP) as peer, puppet("n2") as other:
        await peer.body()
        await meet(node, other)
        await peer.send(Ping(1))
        told = [await peer.body(), await peer.body()]
        members = [("n1", str(node.link)), ("n2", str(other.address))]
        expected = [Roster(node.cluster.ring.digest, members), Pong(1)]
        assert [decode(body) for body in told if body] == expected


async def test_buckets_can_be_seen_and_forgotten() -> None:
    """Inspect shows the buckets of a key, Reset forgets them and shows what it forgot."""
    async with sidecar() as node, bare(node, APP) as peer:
        await peer.send(checks(1, ("k", "5/hour", 2)), Inspect(2, 0, "k"), Reset(3, 0, "k"))
        await peer.next()
        seen, word, forgotten = [await peer.next() for _ in range(3)]
        await peer.send(Inspect(4, 0, "k"))
        nothing = await peer.next()
    assert isinstance(seen, Holdings)
    assert isinstance(forgotten, Holdings)
    assert [limit for limit, _ in seen.buckets] == ["5/hour"]
    assert [limit for limit, _ in forgotten.buckets] == ["5/hour"]
    assert word == Forget("k")
    assert nothing == Holdings(4, "owner", "n1", [])


WORDS: list[NodeMessage] = [
    Gossip(4, 0, "", "", []),
    Buckets(1, []),
    Merged(1),
    Pull(1, Part.ALL),
    Pulled(1),
    Forget("k"),
]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: type(word).__name__)
async def test_what_only_nodes_may_say_is_refused_from_an_app(word: NodeMessage) -> None:
    """An app can't charge, forget, or take part in anything: it is told so, and hung up on."""
    async with sidecar() as node, witness(node), bare(node, APP) as app:
        await app.send(word)
        error = await app.error()
        assert error.code == "bad-message"
        assert type(word).__name__.lower() in error.text
        assert not node.node.buckets.held("k", node.clock())


async def test_a_node_is_answered_on_its_own_connection_while_there_is_no_other() -> None:
    """What a node says on the way it dialled is heard, and that way leads back to it."""
    async with sidecar() as node, bare(node, node_named("n2", "0.0.0.0:9")) as peer:
        await peer.send(Buckets(7, [("5/day", ["k"], [10**12])]), Pull(8, Part.NOTHING))
        assert [await peer.next(), await peer.next()] == [Merged(7), Pulled(8)]
        assert node.node.buckets.held("k", node.clock())
        await peer.send(Gossip(int(SwimKind.PING), 9, "", "", []))
        answer = await peer.next()
        assert isinstance(answer, Gossip)
        assert (answer.kind, answer.id, answer.digest) == (
            SwimKind.ACK,
            9,
            node.cluster.ring.digest,
        )
        assert [name for name, *_ in answer.rumors] == ["n1"]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (
            Gossip(4, 0, "", "", [("n9", "h:1", 2**53 + 1, 0, 1, "", 0)]),
            "incarnation 9007199254740993",
        ),
        (Gossip(4, 0, "", "", [("n9", "h:1", 1, 4, 1, "", 0)]), "state 4"),
        (Gossip(4, 0, "", "", [("n9", "h", 1, 0, 1, "", 0)]), "'h'"),
        (Buckets(1, [("5/day", ["k", "l"], [1])]), "2 keys with 1 debts"),
        (Buckets(1, [("5/fortnight", ["k"], [1])]), "fortnight"),
        (Buckets(1, [("5/day; 6/hour", ["k"], [1])]), "expected one limit"),
        (Buckets(1, [("5/day", ["k" * 513], [1])]), "513 bytes"),
    ],
)
async def test_nonsense_of_a_node_ends_its_connection(word: NodeMessage, text: str) -> None:
    """It is told what makes no sense, nothing of it is believed, and others notice nothing."""
    async with sidecar() as node, witness(node):
        async with bare(node, node_named("n2", "0.0.0.0:9")) as peer:
            await peer.send(word)
            error = await peer.error()
        assert error.code == "bad-message"
        assert text in error.text
        assert not node.cluster.membership.members
        assert not node.node.buckets.held("k", node.clock())


@pytest.mark.parametrize("how", ["a check", "a word"])
async def test_what_a_node_says_behind_buckets_is_heard_when_they_are_merged(how: str) -> None:
    """Though many are merged in several turns, a check sees what was charged before."""
    keys = [*(f"k{at}" for at in range(MAX_BUCKETS - 1)), "last"]
    word = (
        Checks(2, 1, 10**6, [("last", "5/day", 1)], 7)
        if how == "a check"
        else Pull(2, Part.NOTHING)
    )
    async with sidecar() as node, bare(node, node_named("n2", "0.0.0.0:9")) as peer:
        await peer.send(Buckets(1, [("5/day", keys, [DAY] * len(keys))]), word)
        said = [await peer.next(), await peer.next()]
        assert said[0] == Merged(1)
        if how == "a check":
            assert isinstance(said[1], Answers)
            assert [answer[0] for answer in said[1].answers] == [0]


async def test_a_reset_elsewhere_reaches_the_apps_here() -> None:
    """A node that is told of a reset forgets the key and tells its apps, once; an app may not."""
    async with sidecar() as node, bare(node, APP) as app, bare(node, node_named("n2")) as other:
        await app.send(checks(1, ("k", "5/hour", 1)))
        await app.next()
        told = Resets(1, [(7, "k", 0)])
        await other.send(told)
        assert await app.next() == Forget("k")
        assert await other.next() == Merged(1)
        assert not node.node.buckets.held("k", node.clock())
        await other.send(told)
        assert await other.next() == Merged(1)
        await app.send(Ping(1), told)
        assert await app.next() == Pong(1)
        assert (await app.error()).code == "bad-message"


async def test_only_nodes_name_checks_and_all_of_them() -> None:
    """A serial from an app, or with too few places, closes the connection."""
    asked = [("k", "5/hour", 1)] * 2
    async with sidecar() as node, bare(node, APP) as app, bare(node, node_named("n2")) as other:
        await app.send(Checks(1, 0, 10**6, asked, 7))
        assert "a node forwards" in (await app.error()).text
        await other.send(Checks(1, 1, 10**6, asked, 7, [0]))
        assert "2 checks with 1 places" in (await other.error()).text


async def test_inspections_are_few_at_a_time() -> None:
    """Who asks for more inspections at once than there may be is closed with a word why."""
    async with sidecar() as node, bare(node, APP) as peer, witness(node):
        await peer.send(*(Inspect(at, 0, "k") for at in range(MAX_OF_ONE + 1)))
        error = await peer.error()
    assert error.code == "busy"
    assert str(MAX_OF_ONE) in error.text


async def test_a_sidecar_that_ends_says_goodbye_to_all() -> None:
    async with AsyncExitStack() as stack:
        async with sidecar() as node:
            shaken = await stack.enter_async_context(bare(node, APP))
            silent = await stack.enter_async_context(bare(node))
            await eventually(
                lambda: (len(node.sessions.open), len(node.sessions.admission)) == (1, 1)
            )
        assert await shaken.rest() == []
        assert await silent.rest() == []
    assert not node.sessions.open


async def test_a_side_that_says_an_error_gets_none_back() -> None:
    """An error of the other side closes its connection; its code isn't taken into the counts."""
    async with sidecar() as node, witness(node):
        for number in range(20):
            async with bare(node, APP if number % 2 else None) as peer:
                await peer.send(Error(f"made-up-{number}", "because"))
                assert await peer.rest() == []
        await eventually(lambda: not node.sessions.admission and len(node.sessions.open) == 1)
        assert not turned_away(node)


# Who they are


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("", "expected HOST:PORT"),
        ("nonsense", "expected HOST:PORT"),
        ("127.0.0.1:port", "got 'port'"),
        ("127.0.0.1:0", "is no HOST:PORT to dial"),
        ("unix:/run/secret.sock", "is no HOST:PORT to dial"),
        ("h" * 10_000, "expected HOST:PORT"),
    ],
)
async def test_a_node_that_cannot_be_dialled_is_refused(link: str, why: str) -> None:
    async with sidecar() as node, witness(node), bare(node) as peer:
        await peer.send(node_named("n2", link).hello(b"n" * 32))
        error = await peer.error()
    assert error.code == ("frame-too-long" if len(link) > 4_096 else "bad-message")
    assert len(link) > 4_096 or why in error.text
    assert len(error.text) <= 500
    assert node.cluster.ring.nodes == ("n1",)
