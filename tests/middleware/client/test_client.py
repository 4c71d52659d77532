"""The asyncio client: what a check gives, what may be asked, and how a client begins and ends."""

import asyncio
from typing import Any

import pytest

from sidegate.buckets.limits import parse_limits
from sidegate.errors import CheckError, CostError, KeyTooLong, LimitError
from sidegate.protocol.messages import Answers, Checks, Error, Merged
from tests.middleware.client.puppet_client import nobody, pair, say
from tests.support.in_process.cluster import (
    GENEROUS,
    admitted,
    client,
    cluster,
    eventually,
    sources,
)
from tests.support.in_process.puppets import puppet


async def test_a_check_gives_the_decision_of_the_owner() -> None:
    """A decision says whether it was allowed, by whom, under which limits, and what is left."""
    async with cluster("n1") as (node,), client(node) as asking:
        first = await asking.check("k", "3/day; 100/week", 2)
        assert (first.allowed, first.cost, first.source, first.node) == (True, 2, "owner", "n1")
        assert first.limits is parse_limits("3/day; 100/week")
        assert [first.remaining_of(0), first.remaining_of(1)] == [1, 98]
        second = await asking.check("k", "3/day; 100/week", 2)
        assert (second.allowed, second.remaining) == (False, 1)
        assert second.retry_after > 0


async def test_limits_may_be_given_parsed_or_as_text() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        await asking.check("k", "5/day")
        await asking.check("k", "5 per day")
        assert (await asking.check("k", parse_limits("5/d"))).remaining == 2


async def test_all_checks_of_one_turn_leave_in_one_frame_in_their_order() -> None:
    async with pair() as (asking, other):
        futures = [asking.check(f"k{at}", "5/day", at % 3) for at in range(100)]
        frame = await say(other, *([1, at] for at in range(100)))
        assert frame.checks == [(f"k{at}", "5/day", at % 3) for at in range(100)]
        assert [decision.debts for decision in await asyncio.gather(*futures)] == [
            [at] for at in range(100)
        ]


async def test_answers_may_come_in_parts_from_several_nodes() -> None:
    async with pair() as (asking, other):
        futures = [asking.check(f"k{at}", "5/day") for at in range(4)]
        frame = await other.hear(Checks)
        await other.say(Answers(frame.id, "owner", "n1", [2, 0], [[1, 20], [0, 10]]))
        await asyncio.gather(futures[0], futures[2])
        assert not futures[1].done()
        await other.say(Answers(frame.id, "open", "n2", [1, 3], [[1], [1]]))
        decisions = await asyncio.gather(*futures)
        assert [(it.allowed, it.source, it.node, list(it.debts)) for it in decisions] == [
            (False, "owner", "n1", [10]),
            (True, "open", "n2", []),
            (True, "owner", "n1", [20]),
            (True, "open", "n2", []),
        ]


async def test_a_decision_by_one_node_alone_shows_the_share_that_it_applied() -> None:
    async with pair() as (asking, other):
        future = asking.check("k", "9/day", 5)
        await say(other, [1, 0], source="local", parts=3)
        decision = await future
    assert (decision.source, str(decision.limits), decision.cost) == ("local", "3/day", 3)


# Mistakes of the caller


@pytest.mark.parametrize(
    ("key", "limits", "cost", "error", "text"),
    [
        ("k", "a hundred", 1, LimitError, '"a hundred"'),
        ("k", "5/day", -1, CostError, "cost -1"),
        ("k", "5/day", 6, CostError, "cost 6"),
        ("k", "5/day; 3/hour", 4, CostError, "0 to 3"),
        ("x" * 513, "5/day", 1, KeyTooLong, "513 bytes"),
        ("é" * 257, "5/day", 1, KeyTooLong, "514 bytes"),
    ],
)
async def test_a_mistake_in_a_check_raises_at_once(
    key: str, limits: str, cost: int, error: type[Exception], text: str
) -> None:
    """What can't be checked raises in the call, names the value, and asks nobody."""
    async with pair() as (asking, other):
        good = asking.check("k", "5/day")
        with pytest.raises(error, match=text):
            asking.check(key, limits, cost)
        frame = await say(other, [1, 0])
        assert frame.checks == [("k", "5/day", 1)]
        assert (await good).allowed


@pytest.mark.parametrize("key", ["x" * 512, "é" * 256, "🂡" * 128, "", "\0", "a\nb"])
async def test_a_key_may_be_any_text_of_512_bytes(key: str) -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        assert (await asking.check(key, "5/day")).remaining == 4
        assert (await asking.check(key, "5/day")).remaining == 3


@pytest.mark.parametrize(
    ("key", "cost"),
    [("\ud800", 1), ("x" * 200 + "\udcff", 1), ("k", 1.5), ("k", True), (b"k", 1)],
    ids=["surrogate", "long_surrogate", "fraction", "bool", "bytes"],
)
async def test_a_check_that_cannot_be_sent_harms_no_other(key: Any, cost: Any) -> None:
    """A key or cost that has no bytes on the wire fails alone, not with all of its turn."""
    async with cluster("n1") as (node,), client(node) as asking:
        before = asking.check("before", "5/day")
        with pytest.raises((ValueError, TypeError)):
            await asking.check(key, "5/day", cost)
        after = asking.check("after", "5/day")
        async with asyncio.timeout(GENEROUS / 2):
            assert sources([await before, await after]) == {"owner": 2}
        assert not node.node.counts.turned_away


async def test_a_client_that_connects_first_knows_whether_somebody_is_there() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        assert await asking.connect()
    async with nobody() as asking:
        assert not await asking.connect()


# Answers that are none


async def test_a_check_that_the_sidecar_cannot_decide_raises_its_reason() -> None:
    async with pair() as (asking, other):
        futures = [asking.check("k", "5/day") for _ in range(3)]
        await say(other, [1, 0], "the moon is too bright", [0, 7])
        assert (await futures[0]).allowed
        with pytest.raises(CheckError, match="the moon is too bright"):
            await futures[1]
        assert not (await futures[2]).allowed


async def test_what_only_nodes_say_ends_the_connection() -> None:
    """An app has no business with gossip: the sidecar is told so, and dialled again."""
    async with pair() as (asking, other):
        await other.say(Merged(1))
        assert "merged" in (await other.hear(Error)).text
        await eventually(lambda: other.connections)
        future = asking.check("k", "5/day")
        await say(other, [1, 5])
        assert (await future).source == "owner"


async def test_closing_answers_what_is_in_flight() -> None:
    """A client that closes answers its checks by the policy, those of this turn too."""
    async with pair(on_unreachable="closed") as (asking, other):
        sent = asking.check("k", "5/day")
        await other.hear(Checks)
        unsent = asking.check("k", "5/day")
        await asking.close()
        assert [(await sent).source, (await unsent).source] == ["closed", "closed"]
        await eventually(lambda: not other.connections)
        await asking.close()


async def test_a_client_that_was_never_used_closes() -> None:
    async with puppet() as other:
        asking = client(other.address)
        await asking.close()
        async with client(other.address):
            pass
        assert other.connections == []


def test_a_client_that_was_closed_serves_the_next_loop(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = f"{tmp_path_factory.mktemp('s')}/s"
    asking = client(f"unix:{path}")

    async def use() -> list[int | None]:
        left: list[int | None] = []
        async with cluster("n1", socket=path):
            for _ in range(2):
                left.append((await asking.check("k", "5/day")).remaining)
                await asking.close()
        return left

    assert [asyncio.run(use()) for _ in range(2)] == [[4, 3], [4, 3]]


async def test_clients_of_two_loops_work_at_the_same_time() -> None:
    async with cluster("n1") as (node,):

        async def ask() -> int:
            async with client(node) as asking:
                return admitted(
                    await asyncio.gather(*(asking.check("k", "500/day") for _ in range(400)))
                )

        both = await asyncio.gather(
            *(asyncio.to_thread(asyncio.run, ask()) for _ in range(2)), ask()
        )
    assert sum(both) == 500
