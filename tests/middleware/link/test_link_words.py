"""A link: what is said on it besides checks and their answers."""

import asyncio

import pytest

from sidegate.link.health import LinkState
from sidegate.link.link import MAX_UNSENT
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import (
    Buckets,
    Confirm,
    Confirmed,
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
    Roster,
    UnaskedMessage,
)
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.linking import (
    SOON,
    Watching,
    linked,
    linked_to_nobody,
    pair,
    suspected,
)
from tests.support.in_process.puppets import puppet

WORDS: list[NodeMessage] = [
    Gossip(4, 0, "", "digest", [("n1", "127.0.0.1:1", 1, 0, 1, "", 0)]),
    Buckets(1, [("5/day", ["k"], [5])]),
    Merged(1),
    Pull(2, Part.ALL),
    Pulled(2),
    Confirm("ring"),
    Confirmed("ring"),
    Forget("k"),
]


async def test_the_ring_is_passed_on_to_the_watcher() -> None:
    async with puppet() as other, linked(other.address) as (_, watching):
        rosters = [Roster("digest", [("n1", "127.0.0.1:1")]), Roster("other", [])]
        await other.say(*rosters)
        await eventually(lambda: len(watching.rosters) == 2)
        assert watching.rosters == rosters


@pytest.mark.parametrize("reset", [False, True])
async def test_a_key_can_be_inspected(reset: bool) -> None:
    """Inspect and Reset are answered by what is held, each by its number."""
    async with pair() as (link, other):
        asked = [
            asyncio.create_task(link.inspect(f"k{at}", reset=reset, hops=1, budget=GENEROUS))
            for at in range(2)
        ]
        kind: type[Reset | Inspect] = Reset if reset else Inspect
        heard = [await other.hear(kind) for _ in asked]
        assert [(it.key, it.hops) for it in heard] == [("k0", 1), ("k1", 1)]
        held = [Holdings(it.id, "owner", "puppet", [(f"{it.id}/day", 5)]) for it in heard]
        await other.say(held[1], held[0])
        assert await asyncio.gather(*asked) == held


async def test_an_inspection_without_answer_ends_with_its_budget() -> None:
    async with pair() as (link, other):
        assert await link.inspect("k", reset=False, hops=0, budget=SOON) is None
        asked = await other.hear(Inspect)
        await other.say(Holdings(asked.id, "owner", "puppet", []), Ping(1))
        await other.hear(Pong)
        assert link.state is LinkState.UP


async def test_a_link_that_is_down_inspects_nothing() -> None:
    async with linked_to_nobody() as (link, _):
        await eventually(lambda: link.state is LinkState.DOWN)
        assert await link.inspect("k", reset=False, hops=0, budget=GENEROUS) is None


async def test_what_nodes_say_is_passed_on_in_its_order() -> None:
    async with puppet() as other, linked(other.address) as (_, watching):
        await other.say(*WORDS)
        await eventually(lambda: len(watching.messages) == len(WORDS))
        assert watching.messages == WORDS


async def test_what_is_told_arrives_in_its_order() -> None:
    """Words that want no answer go out at once, and count as no question."""
    async with pair() as (link, other):
        told = [link.tell(word) for word in WORDS]
        assert told == [True] * len(WORDS)
        await eventually(lambda: len(other.heard) == len(WORDS))
        assert other.heard == WORDS
        assert link.in_flight == 0
        await other.say(Ping(1))
        await other.hear(Pong)
        assert link.state is LinkState.UP


async def test_nothing_is_told_where_nobody_is() -> None:
    async with linked_to_nobody() as (link, _):
        assert not link.tell(Forget("k"))
        await eventually(lambda: link.state is LinkState.DOWN)
        assert not link.tell(Forget("k"))


async def test_a_suspect_is_still_told_things() -> None:
    async with pair() as (link, other):
        await suspected(link)
        assert link.tell(Forget("k"))
        assert await other.hear(Forget) == Forget("k")


async def test_words_are_dropped_when_too_many_wait() -> None:
    many = Buckets(1, [("5/day", ["k" * 500] * 1_000, [5] * 1_000)])
    async with pair() as (link, other):
        other.connections[-1].transport.pause_reading()
        told = 0
        while link.tell(many):
            told += 1
            await asyncio.sleep(0)
            assert told < 1_000
        assert link._connection is not None
        assert link._connection.transport.get_write_buffer_size() < 2 * MAX_UNSENT
        other.connections[-1].transport.resume_reading()
        await eventually(lambda: link.tell(Forget("k")))
        await other.hear(Forget)


async def test_a_side_that_speaks_again_is_told_of() -> None:
    """The watcher hears that a suspect is trusted again, once, and not of any other word."""
    async with puppet() as other, linked(other.address) as (link, watching):
        await eventually(lambda: link.state is LinkState.UP and other.connections)
        await other.say(Roster("digest", []))
        await eventually(lambda: watching.rosters)
        await suspected(link)
        await other.say(Roster("digest", []), Roster("digest", []))
        await eventually(lambda: len(watching.rosters) == 3)
        assert link.state is LinkState.UP
        assert watching.trusted == 1


async def test_a_watcher_may_refuse_a_word() -> None:
    """Its WireError closes the connection, with the reason, and the link comes back."""

    class Choosy(Watching):
        def on_message(self, _link: object, message: UnaskedMessage, /) -> None:
            raise WireError("bad-message", f"no {type(message).__name__} for me")

    choosy = Choosy()
    async with puppet() as other, linked(other.address, watching=choosy) as (link, _):
        await other.say(Merged(1))
        assert await other.hear(Error) == Error("bad-message", "no Merged for me")
        await eventually(lambda: len(choosy.ups) == 2)
        assert link.state is LinkState.UP
