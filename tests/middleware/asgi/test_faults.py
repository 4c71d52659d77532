"""The ASGI middleware when a key, a cost, the client or the app fails."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from sidegate.asgi.types import Receive, Scope, Send
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits
from sidegate.errors import CheckError
from sidegate.http.request.request import Request
from tests.support.middleware.asgi_app import App, fields, http, limit, run
from tests.support.middleware.checker import Checker

MUCH_LONGER = 4  # seconds, than a budget of 0.01: what never ends is not waited for


class Broken:
    """A client that fails in its own way."""

    def __init__(self, answer: Callable[[Limits], Any]) -> None:
        self._answer = answer

    def check(self, key: str, limits: Limits, cost: int) -> Any:  # noqa: ARG002
        return self._answer(limits)


def raising(_: Limits) -> Any:
    raise RuntimeError("closed")


async def failing(_: Limits) -> Decision:
    raise CheckError("bad-key")


async def too_few_debts(limits: Limits) -> Decision:
    return Decision(True, limits, 1, (5,), Source.OWNER)


async def no_decision(_: Limits) -> Any:
    return object()


def not_to_await(_: Limits) -> Any:
    return 7


async def never(_: object) -> Any:
    await asyncio.Event().wait()


def boom(_: Request) -> Any:
    raise RuntimeError("boom")


async def boom_later(_: Request) -> Any:
    raise RuntimeError("boom")


def gives(value: object) -> Callable[[Request], Any]:
    return lambda _: value


FAULTS = [
    pytest.param({"key": boom}, id="key raises"),
    pytest.param({"key": boom_later}, id="awaited key raises"),
    pytest.param({"key": never}, id="key never ends"),
    pytest.param({"key": gives(b"7")}, id="key is no text"),
    pytest.param({"cost": boom}, id="cost raises"),
    pytest.param({"cost": boom_later}, id="awaited cost raises"),
    pytest.param({"cost": never}, id="cost never ends"),
    pytest.param({"cost": gives(-1)}, id="cost is negative"),
    pytest.param({"cost": gives(None)}, id="cost is none"),
    pytest.param({"cost": gives("1")}, id="cost is a text"),
    pytest.param({"client": Broken(raising)}, id="client raises at once"),
    pytest.param({"client": Broken(failing)}, id="the sidecar can't decide"),
    pytest.param({"client": Broken(too_few_debts)}, id="debts are missing"),
    pytest.param({"client": Broken(no_decision)}, id="no decision"),
    pytest.param({"client": Broken(not_to_await)}, id="nothing to await"),
]


@pytest.mark.parametrize(("policy", "expected"), [("open", 200), ("local", 200), ("closed", 503)])
@pytest.mark.parametrize("options", FAULTS)
async def test_the_app_does_not_suffer_for_its_limiter(
    options: dict[str, Any], policy: str, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails is logged, and the request goes by on_unreachable."""
    app = App()
    options = {"limits": "10/minute; 90/hour", "client": Checker(), "key_timeout": 0.01} | options
    limited = limit(app, on_unreachable=policy, **options)
    async with asyncio.timeout(MUCH_LONGER):
        start, *_ = await run(limited, http())
    headers = dict(start["headers"])
    assert start["status"] == expected
    assert headers[b"sidegate-source"] == (b"closed" if policy == "closed" else b"open")
    assert b"ratelimit" not in headers
    assert len(app.calls) == (expected == 200)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_key_that_takes_longer_than_a_check_may_is_counted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The budget is for the check: a database that tells who it is may be slower."""

    async def slow(_: Request) -> str:
        await asyncio.sleep(0.02)
        return "ann"

    checker = Checker()
    limited = limit(App(), limits="10/minute", client=checker, budget=0.001, key=slow)
    for _ in range(3):
        assert b"sidegate-source" not in await fields(limited, http())
    assert [key for key, _, _ in checker.asked] == ["default:ann"] * 3
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith("rule 'default': test_a_key_that_takes_longer")
    assert "requests wait for it, and then up to 1 ms for the check" in said.getMessage()


async def test_a_key_that_is_never_there_is_named_with_its_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limited = limit(App(), limits="10/minute", client=Checker(), key_timeout=0.01, key=never)
    assert (await fields(limited, http()))[b"sidegate-source"] == b"open"
    assert 'TimeoutError: "no answer within 0.01 s, the key_timeout"' in caplog.text


async def test_what_the_app_raises_passes_and_it_is_called_once() -> None:
    calls: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        calls.append(scope)
        raise LookupError("the app's own")

    limited = limit(app, limits="10/minute")
    with pytest.raises(LookupError, match="the app's own"):
        await run(limited, http())
    assert len(calls) == 1


async def test_a_cancelled_request_is_cancelled() -> None:
    app = App()
    limited = limit(app, limits="10/minute", key=never, budget=60)
    task = asyncio.create_task(run(limited, http()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.calls == []
