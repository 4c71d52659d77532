"""The sidecar is away, or can't decide: no request fails, and a fallback counts in this process."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request, Response

from sidegate.client.config import log_once
from sidegate.compat.slowapi import Limiter
from sidegate.compat.slowapi.fallback import MemoryFallback
from tests.compat.slowapi.libraries import OURS, Answer, Bench, Clock
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import until


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[SidecarDouble]:
    with SidecarDouble(f"unix:{tmp_path}/s") as double:
        yield double


def made(sidecar: SidecarDouble, **options: Any) -> tuple[Bench, Limiter]:
    """Return a bench with one view in a loop and one in a thread, each of 3 an hour."""
    options.setdefault("storage_uri", sidecar.address.replace("unix:", "sidegate+unix://"))
    bench = Bench(OURS, Clock(0))
    limiter = bench.limiter(strategy="moving-window", headers_enabled=True, **options)

    @bench.app.get("/loop")
    @limiter.limit("3/hour")
    async def in_loop(request: Request, response: Response) -> str:
        return f"{request.url.path}{response.status_code}"

    @bench.app.get("/thread")
    @limiter.limit("3/hour")
    def in_thread(request: Request, response: Response) -> str:
        return f"{request.url.path}{response.status_code}"

    return bench, limiter


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


@pytest.mark.parametrize("path", ["/loop", "/thread"])
def test_without_a_sidecar_requests_pass_and_nothing_is_told(
    sidecar: SidecarDouble, path: str
) -> None:
    bench, _ = made(sidecar)
    sidecar.stop()
    seen = bench.get(path, 5)
    assert statuses(seen) == [200] * 5
    assert {answer.fields for answer in seen} == {(None,) * 4}
    sidecar.start()


@pytest.mark.parametrize("path", ["/loop", "/thread"])
def test_or_are_refused_if_that_is_asked_for(sidecar: SidecarDouble, path: str) -> None:
    bench, _ = made(sidecar, storage_options={"on_unreachable": "closed"})
    sidecar.stop()
    assert statuses(bench.get(path, 2)) == [429] * 2
    sidecar.start()


@pytest.mark.parametrize("path", ["/loop", "/thread"])
def test_a_fallback_counts_until_the_sidecar_is_back(
    sidecar: SidecarDouble, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench, limiter = made(sidecar, in_memory_fallback=["1/hour"])
    assert statuses(bench.get(path, 3)) == [200] * 3
    sidecar.stop()
    with caplog.at_level(logging.INFO, "slowapi"):
        assert statuses(bench.get(path, 3)) == [200, 429, 429]
        assert limiter._storage_dead
        assert "falling back to in-memory storage" in caplog.text
        sidecar.start()
        until(lambda: statuses(bench.get(path)) == [200] and not limiter._storage_dead)
    assert "Rate limit storage recovered" in caplog.text


def test_a_fallback_without_limits_of_its_own_has_the_usual_ones(sidecar: SidecarDouble) -> None:
    bench, limiter = made(sidecar, in_memory_fallback_enabled=True)
    sidecar.stop()
    assert statuses(bench.get("/loop", 4)) == [200, 200, 200, 429]
    assert limiter.limiter is not limiter._limiter
    sidecar.start()


def test_a_fallback_is_checked_once_where_a_view_has_limits(sidecar: SidecarDouble) -> None:
    """Those of the app are checked before, as ever: a function's limits don't stand in for them."""
    bench, limiter = made(sidecar, in_memory_fallback=["2/hour"], default_limits=["9/hour"])

    @bench.app.get("/function")
    @limiter.limit(lambda: "3/hour")
    async def view(request: Request) -> Response:
        return Response(request.url.path)

    sidecar.stop()
    assert statuses(bench.get("/function", 3)) == [200, 200, 429]
    sidecar.start()


@pytest.mark.parametrize(("policy", "status"), [("open", 200), ("closed", 429)])
def test_a_sidecar_that_cannot_decide_leaves_it_to_the_policy(
    sidecar: SidecarDouble, policy: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An older one can't read windows."""
    log_once.cache_clear()
    bench, _ = made(sidecar, storage_options={"on_unreachable": policy})
    sidecar.reason = "it can't be done"
    assert statuses(bench.get("/loop", 3) + bench.get("/thread", 3)) == [status] * 6
    said = [it for it in caplog.messages if "it can't be done" in it]
    assert len(said) == 1


def test_a_reset_that_cannot_be_done_is_logged(
    sidecar: SidecarDouble, caplog: pytest.LogCaptureFixture
) -> None:
    _, limiter = made(sidecar)
    sidecar.stop()
    caplog.clear()
    limiter.reset()
    assert "Limits have not been reset" in caplog.text
    assert not limiter._storage.check()
    sidecar.start()


async def test_a_silent_sidecar_does_not_hold_up_the_loop(sidecar: SidecarDouble) -> None:
    """What a middleware or a coroutine's decorator checks is awaited."""
    _, limiter = made(sidecar, storage_options={"budget": 0.3}, default_limits=["9/hour"])

    def request() -> Request:
        return Request({"type": "http", "path": "/", "headers": [], "method": "GET"})

    await limiter.check_in_loop(request(), None)
    sidecar.freeze()
    try:
        asked = asyncio.create_task(limiter.check_in_loop(request(), None))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0)
            turns += 1
    finally:
        sidecar.thaw()
    await asked
    assert turns > 50


def test_the_sidecar_is_asked_now_and_then() -> None:
    """After 1 s, 2 s and so on, up to 32 s, while nobody decides."""
    fallback = MemoryFallback([], "moving-window", logging.getLogger("slowapi"))
    assert not fallback.decides_now()
    fallback.heard(is_undecided=True)
    assert fallback.decides_now()
    for pause in (2, 4, 8, 16, 32, 32):
        fallback._asks_at = 0
        assert not fallback.decides_now()
        assert fallback.decides_now()
        assert fallback._pause == min(pause * 2, 32)
    fallback.heard(is_undecided=False)
    assert not fallback.decides_now()
