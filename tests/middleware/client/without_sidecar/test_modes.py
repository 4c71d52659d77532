"""Clients that have no sidecar and want none: SIDEGATE_SIDECAR=memory, or off."""

import asyncio
import logging
import os
from collections.abc import Iterator

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import log_once
from sidegate.client.memory import MODES, PROCESS
from tests.support.in_process.cluster import client, cluster

LIMIT = "2/day"


@pytest.fixture(autouse=True)
def _whole() -> Iterator[None]:
    PROCESS.reset()
    log_once.cache_clear()
    yield
    PROCESS.reset()
    log_once.cache_clear()


async def said(asking: Client, key: str = "k", times: int = 3) -> str:
    """Ask so many times, and return the sources: in capitals where it was allowed."""
    return " ".join(
        it.source.upper() if it.allowed else it.source
        for it in [await asking.check(key, LIMIT) for _ in range(times)]
    )


async def test_a_client_decides_by_the_buckets_of_its_process() -> None:
    async with Client("memory") as asking:
        assert await said(asking) == "MEMORY MEMORY memory"


def test_threads_and_loops_share_the_buckets() -> None:
    """Each `asyncio.run` is a new loop, as each request of Starlette's TestClient is."""
    asking = Client("memory")
    with BlockingClient("memory") as blocking:
        assert asyncio.run(said(asking, times=1)) == "MEMORY"
        assert blocking.check("k", LIMIT).allowed
        assert asyncio.run(said(asking, times=2)) == "memory memory"
        assert not blocking.check("k", LIMIT).allowed


@pytest.mark.parametrize("kind", [Client, BlockingClient])
def test_the_variable_says_the_same_as_the_argument(
    kind: type[Client] | type[BlockingClient],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("SIDEGATE_SIDECAR", "memory")
    monkeypatch.setenv("SIDEGATE_SECRET_FILE", "/nowhere")  # of no use here, so no trouble either
    with caplog.at_level(logging.WARNING):
        made = [kind() for _ in range(3)]
    assert [it.message for it in caplog.records] == [f"sidegate: {MODES['memory'][1]}"]
    if isinstance(asking := made[0], Client):
        assert asyncio.run(said(asking)) == "MEMORY MEMORY memory"
    else:
        assert [asking.check("k", LIMIT).source for _ in range(3)] == ["memory"] * 3


async def test_off_allows_everything_and_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with Client("off") as asking:
            assert await said(asking, times=5) == "OPEN OPEN OPEN OPEN OPEN"
        with BlockingClient("off") as blocking:
            assert all(blocking.check("k", LIMIT).allowed for _ in range(5))
    assert [it.message for it in caplog.records] == [
        "sidegate: requests are not limited (sidecar=off)"
    ]


async def test_an_address_in_code_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEGATE_SIDECAR", "memory")
    async with cluster("n1") as (node,), client(node) as asking:
        assert await said(asking) == "OWNER OWNER owner"


@pytest.mark.parametrize("kind", [Client, BlockingClient])
@pytest.mark.parametrize("options", [{"secret": 5}, {"budget": 0}, {"tls": "x"}, {"name": ""}])
def test_a_mistake_in_code_is_one_without_a_sidecar_too(
    kind: type[Client] | type[BlockingClient], options: dict[str, object]
) -> None:
    (option,) = options
    with pytest.raises(ValueError, match=option):
        kind("memory", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("near", ["Memory", "memory:", "of", "memory "])
def test_what_only_looks_like_it_is_no_address(near: str) -> None:
    with pytest.raises(ValueError, match=f"sidecar='{near}': expected"):
        Client(near)


def test_a_forked_child_has_buckets_of_its_own() -> None:
    """It begins with those of its parent, as it does with all else, and holds no lock of it."""
    blocking = BlockingClient("memory")
    assert blocking.check("k", LIMIT).allowed
    with PROCESS._lock:
        child = os.fork()
        if child == 0:
            answers = [blocking.check("k", LIMIT).allowed for _ in range(2)]
            os._exit(0 if answers == [True, False] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert blocking.check("k", LIMIT).allowed
