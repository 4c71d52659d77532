"""Limits that an app's code changes: what was spent of the old ones is spent of the new ones."""

from collections.abc import AsyncGenerator, Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import APIRouter, Depends, FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sidegate import Limiter, RateLimitMiddleware, Rule, header
from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import (
    GENEROUS,
    client,
    cluster,
    eventually,
    eventually_answered,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHO = header("x-user")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes() -> AsyncGenerator[list[Process]]:
    """Run three sidecars for all tests, each of which has users of its own."""
    async with cluster("n1", "n2", "n3") as nodes:
        yield nodes


def by_middleware(limits: str, sidecar: str, cost: int = 1) -> Any:
    rule = Rule("all", limits, key=WHO, cost=cost)
    app = Starlette(routes=[Route("/", _view)])
    app.add_middleware(RateLimitMiddleware, rules=[rule], sidecar=sidecar, budget=GENEROUS)
    return app


def by_decorator(limits: str, sidecar: str) -> Any:
    limiter = Limiter(key=WHO, sidecar=sidecar, budget=GENEROUS)

    @limiter.limit(limits)
    async def view(request: Request) -> Response:
        return await _view(request)

    app = Starlette(routes=[Route("/", view)])
    app.add_middleware(limiter.asgi)
    return app


async def _view(_request: Request) -> Response:
    return Response()


async def passed(apps: list[Any], user: str, times: int, path: str = "/") -> int:
    """Ask these apps in turn; return how many requests passed."""
    statuses = list[int]()
    for _, app in zip(range(times), cycle(apps), strict=False):
        transport = ASGITransport(app)
        async with AsyncClient(transport=transport, base_url="http://app") as asking:
            statuses.append((await asking.get(path, headers={"x-user": user})).status_code)
    assert {*statuses} <= {200, 429}
    return statuses.count(200)


@pytest.mark.parametrize("made", [by_middleware, by_decorator])
async def test_a_deploy_of_another_limit_is_no_fresh_budget(
    nodes: list[Process], made: Callable[[str, str], Any]
) -> None:
    """On three nodes, one after the other: 4 of 10 were spent, so 8 of 20 are."""
    old = [made("10/day", str(node.link)) for node in nodes]
    new = [made("20/day", str(node.link)) for node in nodes]
    for user in ("ann", "bob", "cat", "dan"):
        assert await passed(old, f"{user} {made.__name__}", 4) == 4
        # while it is rolled out: 3 of 20 and 3 of 10 are 45 % of either
        rolling = [new[0], old[1], new[2], old[0], new[1], old[2]]
        assert await passed(rolling, f"{user} {made.__name__}", 6) == 6
        assert await passed(new, f"{user} {made.__name__}", 20) == 3
        assert await passed(old, f"{user} {made.__name__}", 3) == 0


async def test_a_lower_limit_locks_nobody_out(nodes: list[Process]) -> None:
    """Of 1000 a day 900 were spent: of 10 a day there is one left, and not a debt of 90 days."""
    assert await passed([by_middleware("1000/day", str(nodes[0].link), 900)], "eve", 1) == 1
    new = [by_middleware("10/day", str(node.link)) for node in nodes]
    assert await passed(new, "eve", 5) == 1


async def test_two_limits_of_one_request_are_no_change(nodes: list[Process]) -> None:
    """Of two middlewares around each other, whose rules have one name, each counts for itself."""
    app = by_middleware("5/hour", str(nodes[0].link))
    rules = [Rule("all", "100/day", key=WHO)]
    both = RateLimitMiddleware(app, rules=rules, sidecar=str(nodes[1].link), budget=GENEROUS)
    assert await passed([both], "fay", 8) == 5
    assert await passed([by_middleware("100/day", str(nodes[2].link))], "fay", 3) == 3


async def test_a_view_in_two_routers_has_a_limit_in_each(nodes: list[Process]) -> None:
    """What is spent of 5 a second by one path is no day's spending by the other."""
    limiter = Limiter(key=WHO, sidecar=str(nodes[0].link), budget=GENEROUS)
    app, router = FastAPI(), APIRouter()
    router.get("/")(_view)
    for prefix, limits in (("/v1", "5/hour"), ("/v2", "100/day")):
        depends = [Depends(limiter.dep(limits))]
        app.include_router(router, prefix=prefix, dependencies=depends)
    app.add_middleware(limiter.asgi)
    assert await passed([app], "gil", 6, "/v1/") == 5
    assert await passed([app], "gil", 20, "/v2/") == 20
    assert await passed([app], "gil", 2, "/v1/") == 0


async def test_the_backup_goes_on_by_the_new_limit() -> None:
    async with cluster("n1", "n2") as nodes:
        old, new = parse_limits("10/day").carrying(), parse_limits("20/day").carrying()
        async with client(nodes[0]) as asking:
            await asking.check("k:1", old, 4)
            assert (await asking.check("k:1", new, 12)).remaining == 0
            (owner,) = [it for it in nodes if it.cluster.ring.owner("k:1") == it.config.name]
            (other,) = [it for it in nodes if it is not owner]

            async def held() -> list[str]:
                found = other.node.buckets.held("k:1", other.node.clock())
                return [limit.text for limit, debt in found if debt]

            await eventually_answered(held, lambda texts: texts == ["20/day"])


async def test_by_hand_the_limit_of_a_rule_of_the_file_is_the_same(tmp_path: Path) -> None:
    """Of whoever asks first after a change, also by a check that says what the limit is."""
    file = tmp_path / "rules.yaml"
    rule = "version: 1\nrules: [{name: login, limits: LIMITS}]"
    file.write_text(rule.replace("LIMITS", "10/day"))
    async with cluster("n1", "n2", rules=str(file)) as nodes, client(nodes[1]) as asking:
        (before,) = {it.rules.digest for it in nodes if it.rules}
        assert (await asking.check("login:ann", "10/day", 4)).allowed
        file.write_text(rule.replace("LIMITS", "20/day"))
        await eventually(lambda: all(it.rules and it.rules.digest != before for it in nodes))
        assert (await asking.check("login:ann", "20/day")).remaining == 11
        assert (await asking.check("logout:ann", "10/day", 10)).allowed
        assert (await asking.check("logout:ann", "20/day")).remaining == 19
