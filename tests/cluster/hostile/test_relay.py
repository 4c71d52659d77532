"""A relay that knows no secret is a wire: it may pass frames on or cut them off, nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.protocol.codec import encode
from sidegate.protocol.messages import (
    Answers,
    Buckets,
    Checks,
    Gossip,
    Message,
    Part,
    Ping,
    Pull,
    Reset,
    Resets,
    Roster,
)
from sidegate_sidecar.process import Process
from tests.support.certificates import Authority
from tests.support.in_process.cluster import (
    GENEROUS,
    client,
    cluster,
    config,
    eventually,
    eventually_answered,
)
from tests.support.in_process.relaying import Relay, Way, relay

SECRET = "a secret that nobody in between knows"
HELD = SECRET.encode()
LIMIT = "3/hour"

SAID_AS_NODE: dict[str, Message] = {
    "resets": Resets(1, [(7, "spent", 0)]),
    "reset": Reset(1, 1, "spent"),
    "buckets": Buckets(1, [("3/hour", ["victim"], [2**61])]),
    "gossip": Gossip(4, 0, "", "", [("ghost", "10.255.0.1:9", 1, 0, 1, "", 0)]),
    "pull": Pull(1, Part.ALL),
    "checks": Checks(1, 1, 10**6, [("victim", LIMIT, 3)]),
    "ping": Ping(1),
}


async def spent(asking: Any) -> None:
    for _ in range(3):
        assert (await asking.check("spent", LIMIT)).allowed


async def untouched(node: Process) -> None:
    """Assert that the node holds what it held, and knows whom it knew."""
    async with client(node, secret=SECRET) as asking:
        assert not (await asking.check("spent", LIMIT)).allowed
        assert (await asking.check("victim", LIMIT, cost=0)).remaining == 3
    assert "ghost" not in node.cluster.membership.members


class Between(NamedTuple):
    """A relay between two nodes: b has dialled it in place of a."""

    relaying: Relay
    a: Process
    b: Process
    forth: Way
    back: Way


@pytest.fixture
async def between_nodes() -> AsyncGenerator[Between]:
    """Give a relay that node b has as its seed, and a ring of both with a key that is spent."""
    async with (
        cluster("a", secret=HELD) as (a,),
        relay(a.link) as relaying,
        Process(config("b", secret=HELD, seeds=(relaying.address,))) as b,
        client(a, secret=SECRET) as asking,
    ):
        await eventually(lambda: len(b.cluster.ring) == 2 == len(a.cluster.ring))
        pair = await relaying.up()
        await spent(asking)
        yield Between(relaying, a, b, *pair)


@pytest.mark.parametrize("what", SAID_AS_NODE)
@pytest.mark.parametrize("tag", [b"", bytes(16)], ids=["no tag", "a tag"])
async def test_it_says_nothing_in_the_name_of_a_node(
    between_nodes: Between, what: str, tag: bytes
) -> None:
    """Whatever it makes up ends the connection, counted, and changes nothing."""
    _, a, _, forth, _ = between_nodes
    forth.say((encode(SAID_AS_NODE[what]) + tag) * 9)
    await eventually(lambda: a.node.counts.turned_away["changed"])
    await untouched(a)


def replayed(forth: Way, _: Way) -> bytes:
    return forth.sealed[-1]


def mirrored(_: Way, back: Way) -> bytes:
    return back.sealed[0]


def flipped(forth: Way, _: Way) -> bytes:
    last = bytearray(forth.sealed[-1])
    last[-20] ^= 1
    return bytes(last)


def of_the_handshake(forth: Way, _: Way) -> bytes:
    return b"".join(forth.frames[:2]) + bytes(64)


@pytest.mark.parametrize("make", [replayed, mirrored, flipped, of_the_handshake])
async def test_it_says_nothing_again(
    between_nodes: Between, make: Callable[[Way, Way], bytes]
) -> None:
    """What either side has said is worth nothing a second time, or in the other direction."""
    _, a, _, forth, back = between_nodes
    forth.is_held = True
    await eventually(lambda: forth.sealed)
    forth.say(make(forth, back))
    await eventually(lambda: a.node.counts.turned_away["changed"])
    await untouched(a)


async def test_it_leaves_nothing_out_and_moves_nothing(
    between_nodes: Between,
) -> None:
    """Of two frames it can't pass on the second alone, nor before the first."""
    _, a, _, forth, _ = between_nodes
    forth.is_held = True
    before = len(forth.sealed)
    await eventually(lambda: len(forth.sealed) >= before + 2)
    forth.say(forth.sealed[before + 1] + forth.sealed[before])
    await eventually(lambda: a.node.counts.turned_away["changed"])


async def test_the_dialling_node_believes_it_nothing_either(
    between_nodes: Between,
) -> None:
    """Nor can it speak to the one that dialled: that closes, counts it, and dials again."""
    relaying, _, b, _, back = between_nodes
    connections = len(relaying.pairs)
    back.say((encode(SAID_AS_NODE["gossip"]) + bytes(16)) * 9)
    await eventually(lambda: len(relaying.pairs) > connections)
    assert b.node.counts.turned_away["changed"] == 1


def yes(number: int) -> bytes:
    """Return an answer to the frame of that number, as a relay may make it up."""
    return encode(Answers(number, "owner", "a", None, [[1, 0]])) + bytes(16)


async def test_an_app_believes_it_no_answer() -> None:
    """Between an app and its sidecar it is a wire; a made-up answer ends the connection."""
    async with (
        cluster("a", secret=HELD) as (a,),
        relay(a.link) as relaying,
        client(relaying.address, secret=SECRET) as asking,
    ):
        await spent(asking)
        assert (await asking.check("spent", LIMIT)).source == "owner"
        forth, back = await relaying.up()
        forth.is_held = True
        denied = asking.check("spent", LIMIT)
        before = len(forth.sealed)
        await eventually(lambda: len(forth.sealed) > before)
        back.say(yes(5))
        assert (await denied).source != "owner"
        assert not (await asking.check("spent", LIMIT)).allowed


async def test_a_blocking_app_believes_it_no_answer() -> None:
    """So it is for threads."""
    async with cluster("a", secret=HELD) as (a,), relay(a.link) as relaying:
        options: dict[str, Any] = {"budget": GENEROUS, "secret": SECRET, "remember_denials": False}
        with BlockingClient(str(relaying.address), **options) as blocking:

            def check() -> Source:
                return blocking.check("k", LIMIT).source

            assert await asyncio.to_thread(check) is Source.OWNER
            assert await asyncio.to_thread(check) is Source.OWNER
            forth, back = await relaying.up()
            forth.is_held = True
            before = len(forth.sealed)
            waiting = asyncio.create_task(asyncio.to_thread(check))
            await eventually(lambda: len(forth.sealed) > before)
            back.say(yes(3))
            assert await waiting is Source.OPEN
            ask = partial(asyncio.to_thread, check)
            await eventually_answered(ask, lambda source: source is Source.OWNER)


async def test_who_dials_a_node_by_the_address_of_another_is_refused() -> None:
    """At the address of one that is dead somebody passes on what comes: it is told from who died.

    The one that is dialled knows whose address that was.
    """
    async with cluster("a", "c", secret=HELD) as (a, c):
        dead = Process(config("d", secret=HELD, seeds=(a.link,)))
        await dead.start()
        await eventually(lambda: "d" in c.cluster.membership.members and a.peers.is_up("d"))
        await dead.stop()
        async with relay(c.link, port=dead.link.port):
            await eventually(lambda: c.node.counts.turned_away["dialled"])
        assert "c" in a.peers.by_name


async def test_a_certificate_as_good_passes_no_handshake_on(tmp_path: Path) -> None:
    """Over TLS a relay has to end it, and shows another certificate than the node's own."""
    authority = Authority()
    ours = authority.issue(tmp_path / "ours", "node")
    insiders = authority.issue(tmp_path / "app", "app")
    async with cluster("a", secret=HELD, tls=ours) as (a,), relay(a.link, insiders) as relaying:
        async with client(a, secret=SECRET, tls=insiders) as direct:
            assert (await direct.check("k", LIMIT)).source == "owner"
        async with client(relaying.address, secret=SECRET, tls=ours, budget=0.2) as asking:
            assert (await asking.check("k", LIMIT)).source == "open"
        assert a.node.counts.turned_away["secret"]


async def test_without_a_secret_for_nodes_apps_are_none() -> None:
    """An app with the apps' secret can't join the ring, whatever role it claims."""
    options = {"secret": HELD, "node_secret": b"what makes a node a node"}
    async with cluster("a", "b", **options) as (a, _):
        async with client(a, secret=SECRET) as asking:
            assert (await asking.check("k", LIMIT)).source == "owner"
        async with Process(config("app", secret=HELD, seeds=(a.link,))) as app:
            await eventually(lambda: a.node.counts.turned_away["secret"])
            assert "app" not in a.cluster.membership.members
            assert len(app.cluster.ring) <= 1


async def test_rosters_are_sealed() -> None:
    """What a sidecar says of its own accord has a tag as well."""
    async with (
        cluster("a", secret=HELD) as (a,),
        relay(a.link) as relaying,
        client(relaying.address, secret=SECRET) as asking,
    ):
        await asking.check("k", LIMIT)
        _, back = await relaying.up()
        assert encode(Roster(a.cluster.ring.digest, [("a", str(a.link))])) in back.sealed[0]
        assert len(back.sealed[0]) > 16
