"""Cache against real sidecars: one load for all, values for their time, and never an error."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from sidegate import Cache, NoEventLoop
from sidegate_sidecar.process import Process
from tests.support.in_process.caching import Loads, cache_of, caches, key_at
from tests.support.in_process.cluster import cluster, eventually, eventually_answered


@pytest.fixture
async def trio() -> AsyncGenerator[list[Process]]:
    """Three sidecars."""
    async with cluster("n1", "n2", "n3") as nodes:
        yield nodes


async def test_one_loads_for_all(trio: list[Process]) -> None:
    """Hundreds ask at the same time, of three nodes; all get the value of one load."""
    load = Loads()
    async with caches(*trio) as made:
        asked = (it.get_or_set(7, load) for it in made for _ in range(100))
        values = await asyncio.gather(*asked)
    assert load.keys == [7]
    assert values == [{"key": 7, "load": 1}] * 300


async def test_values_are_there_for_all_for_their_time(trio: list[Process]) -> None:
    """None is a value too; what isn't there is the default."""
    async with caches(*trio) as (one, other, _):
        assert await one.set("none", None)
        assert await one.set(2, [1, {"a": b"b"}])
        assert await one.set("soon over", 1, ttl="1ms")
        assert await other.get("none", default="no") is None
        assert await other.get(2) == [1, {"a": b"b"}]
        assert await other.get("nothing", default="no") == "no"
        await eventually_is(other, "soon over", None)
        many = await other.get_many(["none", 2, "nothing", *range(10, 600)])
        assert many == {"none": None, 2: [1, {"a": b"b"}]}


async def test_values_are_deleted_and_cleared(trio: list[Process]) -> None:
    """Wherever they are."""
    async with caches(*trio) as (one, other, third):
        keys = [key_at(node, skip) for node in trio for skip in (0, 1)]
        for key in keys:
            assert await one.set(key, key)
        assert await other.delete(*keys[::2])
        assert sorted(await third.get_many(keys)) == sorted(keys[1::2])
        assert await third.clear()
        assert await one.get_many(keys) == {}


async def test_a_large_value_goes_there_and_back(trio: list[Process]) -> None:
    """Over all hops, in parts, and with others at the same time."""
    large = b"x" * ((1 << 20) - 5)
    async with caches(*trio) as (one, other, _):
        for node in trio:
            assert await one.set(key_at(node), large)
        got = await asyncio.gather(*(other.get(key_at(node)) for node in trio for _ in range(3)))
    assert got == [large] * 9


async def test_sealed_links_carry_values_too() -> None:
    """Between apps and sidecars, and between these."""
    large = b"x" * 1_000_000
    secret = b"correct horse battery staple"
    async with cluster("n1", "n2", secret=secret) as nodes:
        async with caches(*nodes, secret=secret) as (one, other):
            for node in nodes:
                assert await one.set(key_at(node), large)
                assert await other.get(key_at(node)) == large
        async with caches(*nodes, secret=b"another") as (stranger, _):
            assert await stranger.get_or_set(key_at(nodes[0]), lambda: 5) == 5
            assert await stranger.clear() is False


async def test_too_large_values_are_given_and_not_kept(
    trio: list[Process], caplog: pytest.LogCaptureFixture
) -> None:
    """Who gives one is told; a function's is returned, with a warning once."""
    async with caches(*trio) as (one, other, _):
        with pytest.raises(ValueError, match="at most 1 MiB"):
            await one.set("k", b"x" * (1 << 20))
        for key in ("a", "b"):
            assert len(await one.get_or_set(key, lambda: b"x" * (1 << 20))) == 1 << 20
        assert await other.get("a") is None
        assert await other.get_or_set("a", lambda: 5) == 5  # nobody holds its lease
        assert await one.set("c", b"x" * 70_000)
    assert [it.message for it in caplog.records if it.name == "sidegate"] == [
        "cache users: a value has 1,024 KiB; it isn't kept, as more than 1 MiB is",
        "cache users: a value has 68 KiB; those above 64 KiB take long to send",
    ]


async def test_what_a_function_raises_is_raised_for_all_who_wait(trio: list[Process]) -> None:
    """And the next one tries again at once."""
    load = Loads()
    load.error = LookupError("no such user")
    async with caches(*trio) as (one, other, _):
        asked = (one.get_or_set("k", load) for _ in range(5))
        errors = await asyncio.gather(*asked, return_exceptions=True)
        assert [str(it) for it in errors] == ["no such user"] * 5
        assert len(load.keys) == 1
        load.error = None
        assert await other.get_or_set("k", load) == {"key": "k", "load": 2}


async def test_a_fill_goes_on_when_its_caller_is_cancelled(trio: list[Process]) -> None:
    """Others wait for it."""
    load = Loads()
    load.go_on.clear()
    async with caches(*trio) as (one, other, _):
        first = asyncio.ensure_future(one.get_or_set("k", load))
        await eventually(lambda: load.keys)
        second = asyncio.ensure_future(other.get_or_set("k", load))
        first.cancel()
        load.go_on.set()
        assert await second == {"key": "k", "load": 1}
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await one.get("k") == {"key": "k", "load": 1}


@pytest.mark.parametrize("at", [0, 1])
async def test_the_next_loads_when_the_filler_is_gone(trio: list[Process], at: int) -> None:
    """Its connection broke: one load more."""
    load = Loads()
    load.go_on.clear()
    key = key_at(trio[at])
    async with caches(trio[0]) as (one,), caches(trio[2]) as (other,):
        first = asyncio.ensure_future(one.get_or_set(key, load))
        await eventually(lambda: load.keys)
        waiting = [asyncio.ensure_future(other.get_or_set(key, load)) for _ in range(50)]
        owner = cache_of(trio[at]).owner
        await eventually(lambda: owner.fills.waiting)
        await one.close()
        await eventually(lambda: len(load.keys) == 2)
        load.go_on.set()
        await asyncio.gather(first, *waiting)
        assert len(load.keys) == 2
        assert await other.get(key) is not None


async def test_a_stale_value_is_given_while_it_is_made_anew(trio: list[Process]) -> None:
    """By one, in the background."""
    load = Loads()
    async with caches(*trio, ttl="1ms", stale="1h") as made:
        old = await made[0].get_or_set("k", load)
        await made[0].set("k", old)
        load.go_on.clear()
        await eventually(lambda: is_stale(trio, "k"))
        given = [await it.get_or_set("k", load) for it in made for _ in range(3)]
        assert given == [old] * 9
        await eventually(lambda: len(load.keys) == 2)
        load.go_on.set()
        await eventually_is(made[1], "k", {"key": "k", "load": 2})


def is_stale(nodes: list[Process], key: str) -> bool:
    """Is a value over its time?"""
    kept = [(node, cache_of(node).owner.store.get("users", key, node.clock())) for node in nodes]
    return all(value is None or value.fresh_until <= node.clock() for node, value in kept)


async def test_a_decorated_function_is_called_once_for_its_arguments(trio: list[Process]) -> None:
    """In the whole cluster, with values as what it says that it returns; plain ones as well."""
    called: list[Any] = []
    async with caches(*trio) as (one, other, _):

        async def of(user: int, page: int = 1) -> tuple[int, ...]:
            called.append((user, page))
            return user, page

        def plain(user: int) -> set[int]:
            called.append(user)
            return {user}

        first, second = (it(key="{user}/{page}", ttl="1h")(of) for it in (one, other))
        assert first.__name__ == "of"
        assert [await first(7), await second(7, page=1), await first(user=7)] == [(7, 1)] * 3
        assert await second(7, 2) == (7, 2)
        assert await one.get("7/2") == [7, 2]
        third, fourth = (it(key="plain {user}")(plain) for it in (one, other))
        assert [await third(7), await fourth(7)] == [{7}, {7}]
    assert called == [(7, 1), (7, 2), 7]
    with pytest.raises(ValueError, match="no argument"):
        one(key="{who}")(of)
    with pytest.raises(ValueError, match="ttl="):
        one(key="{user}", ttl="5 minutes")(of)


async def test_near_copies_save_the_way_and_are_forgotten_at_a_word(trio: list[Process]) -> None:
    """As soon as the value changes anywhere."""
    async with caches(*trio, near="1h") as (one, other, _):
        await one.set("k", 1)
        assert [await other.get("k"), await one.get("k")] == [1, 1]
        asked = sum(sum(cache_of(node).owner.counts.answers.values()) for node in trio)
        assert [await it.get("k") for it in (one, other)] == [1, 1]
        assert await other.get_or_set("k", lambda: 2) == 1
        now = sum(sum(cache_of(node).owner.counts.answers.values()) for node in trio)
        assert now == asked
        await one.set("k", 2)
        await eventually_is(other, "k", 2)
        await one.delete("k")
        await eventually_is(other, "k", None)
        await one.set("k", 3)
        assert await other.get("k") == 3
        await one.clear()
        await eventually_is(other, "k", None)


async def eventually_is(cache: Cache, key: str, value: object) -> None:
    """Ask until it is so."""
    await eventually_answered(lambda: cache.get(key), lambda got: got == value)


async def test_a_value_that_can_not_be_read_any_more_is_made_anew(trio: list[Process]) -> None:
    """A deploy has changed its type, say."""
    async with caches(*trio) as (one, _, _), caches(*trio, type=int) as (numbers, _, _):
        await one.set("k", "text")
        assert await numbers.get("k", 5) == 5
        assert await numbers.get_or_set("k", lambda: 6) == 6
        await eventually_is(one, "k", 6)


async def test_what_has_no_bytes_is_an_error_of_who_gives_it(trio: list[Process]) -> None:
    """And nobody waits for it."""
    async with caches(*trio) as (one, other, _):
        with pytest.raises(TypeError, match="serializer="):
            await one.set("k", object())
        with pytest.raises(TypeError, match="serializer="):
            await one.get_or_set("k", lambda: {1, 2})
        assert await other.get_or_set("k", lambda: 5) == 5
    async with caches(*trio, serializer=(repr_of, bytes.decode)) as (one, other, _):
        await one.set("k", {1})
        assert await other.get("k") == "{1}"


def repr_of(value: object) -> bytes:
    """Return some bytes of anything."""
    return repr(value).encode()


async def test_without_a_loop_it_says_so() -> None:
    """In words that a developer understands."""
    cache = Cache("users", ttl="1h")

    def ask() -> None:
        cache.get("k").send(None)

    with pytest.raises(NoEventLoop):
        await asyncio.to_thread(ask)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ttl": "often"}, "ttl="), ({"ttl": 0}, "more than 0"), ({"stale": -1}, "stale="),
     ({"near": None}, "near="), ({"lease": 0}, "lease="), ({"name": ""}, "name="),
     ({"name": "n" * 65}, "64 characters"), ({"budget": -1}, "budget=")],
)  # fmt: skip
async def test_options_that_can_not_be_used_are_refused(
    options: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"name": "users", "ttl": "1h", **options}
    with pytest.raises(ValueError, match=message):
        Cache(**given)
