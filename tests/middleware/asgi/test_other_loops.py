"""The ASGI middleware in loops that aren't asyncio's: trio's, and one that nobody knows."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest
import trio

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.asgi.other_loops import AnyLoop
from sidegate.buckets.limits import parse_limits
from sidegate.client.client import Client
from sidegate.errors import Unreachable
from sidegate.http.request.request import Request
from sidegate.protocol.report_messages import Events
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.middleware.asgi_app import SHUTDOWN, App, fields, http, limit, run, status
from tests.support.waiting import AMPLE

NOWHERE = "unix:/nonexistent/sidegate.sock"


def limited(sidecar: SidecarDouble, limits: str = "3/day", **options: Any) -> RateLimitMiddleware:
    return limit(
        App(), limits=limits, sidecar=sidecar.address, secret="", **{"budget": AMPLE, **options}
    )


async def statuses(app: RateLimitMiddleware, count: int = 5) -> list[int]:
    return [await status(app, http()) for _ in range(count)]


def in_no_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what waits for nothing, as a loop would that isn't known."""
    with pytest.raises(StopIteration) as done:
        work.send(None)
    return done.value.value


async def name_of(_: Request) -> str:
    await trio.lowlevel.checkpoint()
    return "ann"


async def cost_of(_: Request) -> int:
    await trio.lowlevel.checkpoint()
    return 1


async def never(_: Request) -> Any:
    await trio.sleep_forever()


def test_under_trio_it_limits_and_says_so_once(
    sidecar: SidecarDouble, caplog: pytest.LogCaptureFixture
) -> None:
    app = limited(sidecar)
    assert trio.run(statuses, app) == [200] * 3 + [429] * 2
    assert ["under trio" in record.getMessage() for record in caplog.records] == [True]


def test_events_are_recorded_in_whatever_loop(sidecar: SidecarDouble) -> None:
    """Under asyncio and trio they are told; in a loop that isn't known only what is wrong is."""
    events = AnyLoop({"sidecar": sidecar.address, "secret": "", "budget": AMPLE})

    async def record(name: str) -> None:
        events.record(name, "DE", 2)
        with pytest.raises(ValueError, match="expected 1 to 64 bytes"):
            events.record("")
        await events.close_here()

    asyncio.run(record("of asyncio"))
    trio.run(record, "of trio")
    in_no_loop(record("of nobody"))
    wanted = [Events([(name, "DE", 1, 2_000_000)]) for name in ("of asyncio", "of trio")]
    sidecar.wait_for(lambda: all(it in sidecar.heard for it in wanted))
    assert len([it for it in sidecar.heard if isinstance(it, Events)]) == 2


@pytest.mark.parametrize("options", [{"key": name_of}, {"cost": cost_of}], ids=["key", "cost"])
def test_under_trio_keys_and_costs_may_be_awaited(
    sidecar: SidecarDouble, options: dict[str, Any]
) -> None:
    assert trio.run(statuses, limited(sidecar, **options)) == [200] * 3 + [429] * 2


@pytest.mark.parametrize("options", [{"key": never}, {"cost": never}], ids=["key", "cost"])
def test_under_trio_the_budget_holds_for_keys_and_costs(
    sidecar: SidecarDouble, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    app = limited(sidecar, budget=0.01, **options)
    sent = trio.run(fields, app, http())
    assert sent[b"sidegate-source"] == b"open"
    assert ["TimeoutError" in record.getMessage() for record in caplog.records] == [True]


def test_under_trio_many_requests_may_come_at_once(sidecar: SidecarDouble) -> None:
    async def at_once(app: RateLimitMiddleware) -> list[int]:
        got: list[int] = []

        async def one() -> None:
            got.append(await status(app, http()))

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(one)
        return got

    assert sorted(trio.run(at_once, limited(sidecar, "20/day"))) == [200] * 20 + [429] * 80


def test_under_trio_the_end_of_a_lifespan_closes_what_was_opened(sidecar: SidecarDouble) -> None:
    """Its own connections are gone, a later request opens one again."""

    async def serve(app: RateLimitMiddleware) -> None:
        await statuses(app)
        assert await run(app, {"type": "lifespan"}) == [SHUTDOWN]
        sidecar.wait_for(lambda: not sidecar.connections)

    app = limited(sidecar)
    trio.run(serve, app)
    trio.run(serve, app)
    asyncio.run(serve(app))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("open", [200] * 5), ("closed", [503] * 5), ("local", [200] * 3 + [429] * 2)],
)
def test_in_another_loop_the_policy_decides(
    policy: str, expected: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says why, once."""
    app = limit(App(), limits="3/day", sidecar=NOWHERE, on_unreachable=policy)
    assert [in_no_loop(status(app, http())) for _ in range(5)] == expected
    assert ["neither asyncio's nor trio's" in it.getMessage() for it in caplog.records] == [True]


def test_in_another_loop_a_key_is_awaited_and_a_lifespan_ends() -> None:
    async def ann(_: Request) -> str:
        return "ann"

    app = limit(App(), limits="3/day", sidecar=NOWHERE, on_unreachable="local", key=ann)
    assert [in_no_loop(status(app, http())) for _ in range(5)] == [200] * 3 + [429] * 2
    assert in_no_loop(run(app, {"type": "lifespan"})) == [SHUTDOWN]


def test_a_given_client_that_needs_asyncio_is_a_fault_elsewhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Never an exception into the app."""
    app = limit(App(), limits="3/day", client=Client(NOWHERE), on_unreachable="closed")
    assert trio.run(partial(statuses, app, count=2)) == [503] * 2
    assert ["use a BlockingClient" in record.getMessage() for record in caplog.records] == [True]


def test_under_trio_keys_are_peeked_at_and_reset_in_threads(sidecar: SidecarDouble) -> None:
    async def peeked() -> tuple[dict[str, int], dict[str, int]]:
        asking = AnyLoop({"sidecar": sidecar.address, "budget": AMPLE})
        await asking.check("k", parse_limits("3/day"), 2)
        return await asking.peek("k"), await asking.reset("k")

    assert trio.run(peeked) == asyncio.run(peeked()) == ({"3/day": 2}, {"3/day": 2})


def test_under_trio_many_keys_are_listed_and_reset_in_threads() -> None:
    async def listed() -> tuple[list[str], int]:
        asking = AnyLoop({"sidecar": "memory"})
        await asking.check("any:k", parse_limits("3/day"), 2)
        found = await asking.keys("any:", order="key", most=5)
        return [it.key for it in found.keys], (await asking.reset_prefix("any:")).total

    assert trio.run(listed) == asyncio.run(listed()) == (["any:k"], 1)


def test_in_another_loop_nobody_can_be_asked_about_keys() -> None:
    with pytest.raises(Unreachable, match="neither asyncio's nor trio's"):
        in_no_loop(AnyLoop({"sidecar": NOWHERE}).peek("k"))
