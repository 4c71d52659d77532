"""redis-py, as its users have it: in loops and in threads, over one node and over several."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sidegate_sidecar.process import Process
from tests.sidecar.fronts.resp.speaking import SECRET, hearing, port_of, server_of
from tests.support.certificates import Authority
from tests.support.in_process.cluster import LOOPBACK, client, cluster, key_of

KEY = ("user:1", 15, 30, 60)


@asynccontextmanager
async def redis_of(node: Process, **options: Any) -> AsyncGenerator[Any]:
    """Return a `Redis` of one sidecar, whose own types say little."""
    once = Retry(NoBackoff(), 0)
    made: Any = Redis(host="127.0.0.1", port=port_of(node), retry=once, **options)
    async with made as one:
        yield one


async def throttle(one: Any, *words: Any) -> list[int]:
    """Ask once."""
    said: list[int] = await one.execute_command("CL.THROTTLE", *words)
    return said


@pytest.mark.parametrize("protocol", [2, 3])
async def test_it_connects_and_asks(protocol: int) -> None:
    """In both versions of RESP; the connection has a name, and is as good as new after a RESET."""
    async with hearing() as node, redis_of(node, protocol=protocol, client_name="shop") as one:
        assert await one.ping()
        assert await throttle(one, *KEY) == [0, 16, 15, -1, 2]
        assert await one.client_getname() == ("shop" if protocol == 2 else b"shop")
        assert await one.echo("a\r\nb") == b"a\r\nb"
        assert await one.config_get("*") == {}
        assert await one.delete("user:1", "user:2") == 1
        assert await throttle(one, *KEY) == [0, 16, 15, -1, 2]


async def test_other_numbers_for_a_key_leave_spent_what_was_spent() -> None:
    """As in redis-cell: a key has one bucket. 4 of 10 are 8 of 20."""
    async with hearing() as node, redis_of(node) as one:
        await throttle(one, "user:1", 9, 10, 86_400, 4)
        assert (await throttle(one, "user:1", 19, 20, 86_400, 2))[:3] == [0, 20, 10]
        assert (await throttle(one, "user:1", 9, 10, 86_400, 0))[:3] == [0, 10, 5]


async def test_it_says_who_decided() -> None:
    """INFO, after a check in the same pipeline, is about that check."""
    async with hearing() as node, redis_of(node) as one:
        pipeline = one.pipeline(transaction=False)
        pipeline.execute_command("CL.THROTTLE", *KEY)
        pipeline.info()
        _, info = await pipeline.execute()
        assert info["sidegate_last_source"] == "owner"
        assert info["sidegate_checks_owner_allowed"] == 1


async def test_an_error_is_an_error_and_no_more() -> None:
    """The connection is as good as before."""
    async with hearing() as node, redis_of(node) as one:
        with pytest.raises(redis.ResponseError, match='count "0": expected a whole number from 1'):
            await throttle(one, "k", 1, 0, 60)
        with pytest.raises(redis.ResponseError, match="key of 600 bytes: expected at most 512"):
            await throttle(one, "k" * 600, 1, 1, 60)
        with pytest.raises(
            redis.ResponseError, match=r"there are no transactions.*transaction=False"
        ):
            await one.pipeline().execute_command("PING").execute()
        assert await throttle(one, *KEY) == [0, 16, 15, -1, 2]


async def test_pipelines_of_ten_thousand_over_three_nodes() -> None:
    """Each check is decided by its owner, in order, whoever is asked."""
    async with cluster("n1", "n2", "n3", resp=LOOPBACK) as nodes, redis_of(nodes[0]) as one:
        pipeline = one.pipeline(transaction=False)
        for at in range(10_000):
            pipeline.execute_command("CL.THROTTLE", f"k{at % 100}", 99, 1, 3_600)
        said = await pipeline.execute()
        assert [it[:3] for it in said] == [[0, 100, 99 - at // 100] for at in range(10_000)]
        async with redis_of(nodes[1]) as other:
            assert (await throttle(other, "k7", 99, 1, 3_600))[0] == 1
        assert server_of(nodes[0]).counts.checks["owner", "allowed"] == 10_000


async def test_a_pool_shares_one_limit_with_an_app() -> None:
    """Fifty in all, by CL.THROTTLE at one node and by `Client` at another."""
    async with cluster("n1", "n2", resp=LOOPBACK) as nodes:
        key = key_of("n2", nodes[0].cluster.ring)
        async with redis_of(nodes[0]) as one, client(nodes[1]) as app:
            asked = [throttle(one, key, 49, 50, 3_600) for _ in range(40)]
            told = [app.check(key, "50/hour") for _ in range(40)]
            by_redis, by_app = await asyncio.gather(asyncio.gather(*asked), asyncio.gather(*told))
    passed = sum(1 - it[0] for it in by_redis) + sum(it.allowed for it in by_app)
    assert passed == 50


async def test_a_key_is_reset_at_its_owner() -> None:
    """By DEL at another node."""
    async with cluster("n1", "n2", resp=LOOPBACK) as nodes, redis_of(nodes[0]) as one:
        key = key_of("n2", nodes[0].cluster.ring)
        await throttle(one, key, 0, 1, 3_600)
        assert (await throttle(one, key, 0, 1, 3_600))[0] == 1
        assert await one.delete(key) == 1
        assert (await throttle(one, key, 0, 1, 3_600))[0] == 0
        with pytest.raises(redis.ResponseError, match="key of 600 bytes"):
            await one.delete("k" * 600)


async def test_threads_ask_as_well() -> None:
    """The blocking client, of several threads."""

    def ask(port: int) -> list[int]:
        made: Any = redis.Redis(port=port)
        with made as one:
            return [one.execute_command("CL.THROTTLE", "k", 9, 1, 3_600)[0] for _ in range(5)]

    async with hearing() as node:
        asking = [asyncio.to_thread(ask, port_of(node)) for _ in range(4)]
        said = await asyncio.gather(*asking)
    assert sum(it.count(0) for it in said) == 10


@pytest.mark.parametrize("options", [{"username": "default"}, {}])
async def test_it_shows_the_secret(options: dict[str, str]) -> None:
    """With the user that Redis calls default, or without one."""
    async with hearing(secret=SECRET) as node:
        async with redis_of(node, password=SECRET.decode(), **options) as one:
            assert await throttle(one, *KEY) == [0, 16, 15, -1, 2]
        async with redis_of(node) as one:
            with pytest.raises(redis.AuthenticationError):
                await one.ping()
        async with redis_of(node, password="wrong", **options) as one:
            with pytest.raises(redis.AuthenticationError, match="invalid username-password pair"):
                await one.ping()


async def test_it_speaks_tls(tmp_path: Path) -> None:
    """With certificates on both sides, as on the link; who has none is no client."""
    authority = Authority()
    ours, theirs = (authority.issue(tmp_path / name, name) for name in ("n1", "app"))
    tls: dict[str, Any] = {"ssl": True, "ssl_ca_certs": theirs.ca}
    shown = {"ssl_certfile": theirs.cert, "ssl_keyfile": theirs.key}
    async with hearing(tls=ours) as node:
        async with redis_of(node, **tls, **shown) as one:
            assert await throttle(one, *KEY) == [0, 16, 15, -1, 2]
            pipeline = one.pipeline(transaction=False)
            for _ in range(3_000):
                pipeline.execute_command("CL.THROTTLE", "k", 2_999, 1, 60)
            assert [it[2] for it in await pipeline.execute()] == [*range(2_999, -1, -1)]
        async with redis_of(node, **tls) as one:
            with pytest.raises((redis.ConnectionError, OSError)):
                await one.ping()
        assert server_of(node).counts.refused["tls"] == 1
