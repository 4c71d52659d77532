"""Keys listed and reset by how they begin: over a link, from threads, and without a sidecar."""

import asyncio
from typing import Any

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.keys.key_lists import KeysForgotten, ListedKey
from sidegate.errors import KeyTooLong, Unreachable
from sidegate.protocol.codec import WireError
from sidegate.protocol.key_messages import (
    KeyOrder,
    KeysBy,
    KeysListed,
    KeysReset,
    ListKeys,
    ResetKeys,
)
from sidegate.protocol.messages import Forget
from sidegate.testing import Memory
from tests.middleware.client.puppet_client import nobody, pair, say, session_of
from tests.support.in_process.cluster import client, cluster, eventually, key_of
from tests.support.in_process.http_client import charged

DAY = "5/day"
TOKEN = 17_280 * 10**9  # ns


# --- over a link


async def test_keys_are_told_with_what_they_have_spent() -> None:
    async with pair() as (asking, other):
        asked = asyncio.create_task(asking.keys("login:", order="key", most=2))
        question = await other.hear(ListKeys)
        rows = [("login:a", 1, [(DAY, 3 * TOKEN)]), ("login:b", 0, [(DAY, TOKEN), ("9/week", 1)])]
        await other.say(KeysListed(question.id, ["n1", "n2"], ["n3"], ["n2"], [*rows], 1))
        found = await asked
    assert (question.hops, question.by, question.text) == (0, KeysBy.PREFIX, "login:")
    assert (question.order, question.most) == (KeyOrder.KEY, 2)
    assert found.keys == [
        ListedKey("login:a", "n2", {DAY: 3}),
        ListedKey("login:b", "n1", {DAY: 1, "9/week": 1}),
    ]
    assert (found.more, found.answered) == (True, ["n1", "n2"])
    assert (found.missing, found.unfinished) == (["n3"], ["n2"])


async def test_an_identity_is_asked_for_in_place_of_a_prefix() -> None:
    async with pair() as (asking, other):
        asked = asyncio.create_task(asking.keys(identity="192.0.2.1"))
        question = await other.hear(ListKeys)
        assert (question.by, question.text) == (KeysBy.IDENTITY, "192.0.2.1")
        await other.say(KeysListed(question.id, ["n1"], [], [], [], 0))
        assert not (await asked).keys


async def test_many_resets_at_once_are_asked_for_a_few_at_a_time() -> None:
    """More than a sidecar takes of one connection."""
    async with cluster("n1") as (node,), client(node) as asking:
        reset = await asyncio.gather(*(asking.reset_prefix(f"rule{at}:") for at in range(80)))
        assert all(it.missing == [] for it in reset)
        assert not node.node.counts.turned_away


async def test_an_answer_that_makes_no_sense_is_an_error() -> None:
    async with pair() as (asking, other):
        asked = asyncio.create_task(asking.keys())
        question = await other.hear(ListKeys)
        await other.say(KeysListed(question.id, ["n1"], [], [], [("k", 1, [(DAY, 1)])], 0))
        with pytest.raises(WireError, match="a key of a node that isn't one of 1"):
            await asked


async def test_a_reset_of_many_forgets_their_denials_and_wakes_who_waits() -> None:
    """Here at once, without the word that all apps are sent; and nobody else's."""
    async with pair(remember_denials=True) as (asking, other):
        for key in ("login:a", "other"):
            check = asking.check(key, DAY)
            await say(other, [0, 5 * TOKEN])
            assert not (await check).allowed
        waiting = asyncio.create_task(asking.acquire("login:w", DAY))
        await say(other, [0, 5 * TOKEN])
        await eventually(lambda: len(session_of(asking).denials) == 3)
        resetting = asyncio.create_task(asking.reset_prefix("login:"))
        question = await other.hear(ResetKeys)
        assert question == ResetKeys(question.id, 0, "login:")
        await other.say(KeysReset(question.id, [("n1", 2), ("n2", 1)], ["n3"]))
        done = await resetting
        assert done == KeysForgotten({"n1": 2, "n2": 1}, ["n3"])
        assert done.total == 3
        await say(other, [1, TOKEN])
        assert (await waiting).allowed
        assert (await asking.check("other", DAY)).source == "remembered"
        again = asking.check("login:a", DAY)
        await say(other, [1, TOKEN])
        assert (await again).allowed


async def test_the_word_that_many_were_reset_is_heard() -> None:
    async with pair(remember_denials=True) as (asking, other):
        for key in ("login:a", "other"):
            check = asking.check(key, DAY)
            await say(other, [0, 5 * TOKEN])
            await check
        await other.say(Forget("login:", 1))
        await eventually(lambda: [*session_of(asking).denials.table] == [("other", DAY, 1)])


async def test_without_an_answer_they_are_unreachable() -> None:
    async with nobody() as asking:
        with pytest.raises(Unreachable, match=r'key "login:\*"'):
            await asking.keys("login:")
        with pytest.raises(Unreachable, match=r'key "\*:192.0.2.1"'):
            await asking.keys(identity="192.0.2.1")
        with pytest.raises(Unreachable, match=r'key "login:\*"'):
            await asking.reset_prefix("login:")


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"order": "size"}, ValueError, "order='size': expected 'debt' or 'key'"),
    ({"most": 0}, ValueError, "most=0: expected a whole number from 1 to 1,000"),
    ({"most": 1_001}, ValueError, "most=1001: expected a whole number from 1 to 1,000"),
    ({"most": True}, ValueError, "most=True: expected a whole number"),
    ({"most": "5"}, ValueError, "most='5': expected a whole number"),
    ({"order": ["key"]}, ValueError, "order=.*: expected 'debt' or 'key'"),
    ({"prefix": 5}, TypeError, "prefix=5: expected a text"),
    ({"identity": 5}, TypeError, "identity=5: expected a text"),
    ({"prefix": "k" * 513}, KeyTooLong, "513 bytes"),
    ({"prefix": "a", "identity": "b"}, ValueError, "identity='b': expected no prefix beside it"),
]


@pytest.mark.parametrize(("options", "kind", "words"), WRONG)
async def test_what_cannot_be_listed_is_named(
    options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        await client("127.0.0.1:1").keys(**options)
    with pytest.raises(kind, match=words):
        BlockingClient("127.0.0.1:1").keys(**options)


async def test_an_empty_prefix_is_reset_only_where_everything_is_said() -> None:
    words = "prefix='': expected at least one character, or everything=True"
    with pytest.raises(ValueError, match=words):
        await client("127.0.0.1:1").reset_prefix("")
    with pytest.raises(ValueError, match=words):
        BlockingClient("127.0.0.1:1").reset_prefix("")


# --- with sidecars


async def test_threads_have_the_same() -> None:
    async with cluster("n1", "n2") as nodes:
        ring = nodes[0].cluster.ring
        keys = [key_of("n1", ring, "login:"), key_of("n2", ring, "login:")]
        for node, key in zip(nodes, keys, strict=True):
            charged(node, key, DAY, 3)

        def in_a_thread() -> None:
            with BlockingClient(str(nodes[0].link)) as asking:
                found = asking.keys("login:", order="key")
                assert {it.key: it.spent for it in found.keys} == {it: {DAY: 3} for it in keys}
                assert sorted(found.answered) == ["n1", "n2"]
                assert asking.reset_prefix("login:") == KeysForgotten({"n1": 1, "n2": 1}, [])
                assert not asking.keys("login:").keys

        await asyncio.to_thread(in_a_thread)
        async with client(nodes[0]) as asking:
            assert not (await asking.keys()).keys
            assert (await asking.reset_prefix("", everything=True)).total == 0


def test_a_thread_that_gets_no_answer_is_told() -> None:
    for ask in (BlockingClient("127.0.0.1:1").keys, BlockingClient("127.0.0.1:1").reset_prefix):
        with pytest.raises(Unreachable):
            ask("login:")


# --- without


async def test_the_buckets_of_the_process_answer(sidegate: Memory) -> None:
    async with Client("memory") as asking:
        await asking.check("login:a", DAY, 3)
        await asking.check("login:b", DAY, 1)
        await asking.check("other", DAY)
        found = await asking.keys("login:")
        assert [it.key for it in found.keys] == ["login:a", "login:b"]
        assert found == BlockingClient("memory").keys("login:")
        assert (await asking.reset_prefix("login:")).total == 2
        assert sidegate.keys() == ["other"]
        assert BlockingClient("memory").reset_prefix("", everything=True).total == 1


async def test_where_limits_are_switched_off_there_is_no_key() -> None:
    async with Client("off") as asking:
        await asking.check("k", DAY)
        assert not (await asking.keys()).keys
        assert (await asking.reset_prefix("k")).total == 0
