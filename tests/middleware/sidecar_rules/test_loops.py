"""Rules of the sidecar where the app runs in other loops, or a Limiter has learnt its routes."""

import asyncio
from typing import Any

import pytest
import trio
from fastapi import FastAPI
from fastapi.testclient import TestClient

from sidegate import Limiter
from sidegate.asgi.middleware import RateLimitMiddleware
from tests.middleware.ruleset.asked import rules
from tests.middleware.sidecar_rules.ruled import LOGIN, RuledChecker
from tests.support.in_process.cluster import GENEROUS, cluster, eventually
from tests.support.in_process.rules import rules_of
from tests.support.middleware.asgi_app import App, http, limit, run, status

NOTHING = {**LOGIN, "limits": "0/minute"}


def limited(sidecar: object, **options: Any) -> RateLimitMiddleware:
    told = {"rules": "sidecar", "default": "allow", "secret": "", "budget": GENEROUS}
    return limit(App(), sidecar=str(sidecar), **{**told, **options})


async def refused(app: RateLimitMiddleware) -> int:
    """Ask until the app refuses, under trio; return how often it did not."""
    with trio.fail_after(GENEROUS):
        passed = 0
        while await status(app, http("/login")) == 200:
            passed += 1
            await trio.sleep(0.001)
    return passed


async def test_under_trio_rules_come_from_the_sidecar_and_its_policy_holds() -> None:
    async with cluster("n1") as (node,):
        node.sessions.rules.put(rules_of("0/minute"))
        app = limited(node.link)
        await asyncio.to_thread(trio.run, refused, app)
        watching = node.sessions.rules._watching
        await eventually(lambda: not watching)  # it ended with its loop


async def test_under_trio_a_copy_is_there_at_the_start(tmp_path: Any) -> None:
    async with cluster("n1") as (node,):
        node.sessions.rules.put(rules_of("0/minute"))
        copy = tmp_path / "copy"
        await asyncio.to_thread(trio.run, refused, limited(node.link, rules_copy=copy))
        await eventually(copy.exists)
        again = limited("127.0.0.1:9", rules_copy=copy)
        assert await asyncio.to_thread(trio.run, refused, again) == 0


def test_in_a_loop_that_nobody_knows_the_default_applies(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = limited("127.0.0.1:9", default="5/minute", on_unreachable="closed")
    work = run(app, http("/login"))
    with pytest.raises(StopIteration) as done:
        work.send(None)
    assert done.value.value[0]["status"] == 503
    assert [it for it in caplog.messages if "its event loop is neither asyncio's nor" in it]


def test_what_a_limiter_has_learnt_of_its_routes_is_no_way_around_new_rules() -> None:
    """Neither of one without limits, nor of one whose limit is asked at the door."""
    for own in (None, "50/minute"):
        checker: Any = RuledChecker(None)
        checker.refund = print  # which asking at the door takes
        limiter = Limiter(client=checker, rules="sidecar", default="allow")
        app = FastAPI()

        async def login() -> str:
            return "in"

        app.get("/login")(limiter.limit(own)(login) if own else login)
        app.add_middleware(limiter.asgi)
        client = TestClient(app)
        assert [client.get("/login").status_code for _ in range(5)] == [200] * 5
        checker.found = rules(NOTHING)
        assert client.get("/login").status_code == 429


async def test_an_app_that_names_a_rule_hears_of_it_before_its_first_request() -> None:
    async with cluster("n1") as (node,):
        node.sessions.rules.put(rules_of("0/minute"))
        limiter = Limiter(sidecar=str(node.link), secret="")

        limiter.limit("@login")
        await run(limiter.asgi(App()), {"type": "lifespan"})
        pushed = limiter._core.clients.loops.client._pushed
        assert pushed is not None
