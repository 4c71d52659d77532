"""Limits in which no function of the app has a say take a short way, and decide as others do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sidegate import Limiter, header
from sidegate.testing import isolated

if TYPE_CHECKING:
    from starlette.requests import Request

    from sidegate.limiter.limits.route_limit import LimitOptions

CASES: dict[str, list[tuple[str, LimitOptions]]] = {
    "one": [("2/minute", {})],
    "twice the same": [("2/minute", {}), ("2/minute", {})],
    "three of one key": [("5/minute", {}), ("3/hour", {}), ("2/day", {})],
    "a cost": [("5/minute", {"cost": 2})],
    "other costs": [("5/minute", {"cost": 2}), ("9/minute", {})],
    "a header, else the address": [("3/minute", {}), ("2/minute", {"key": header("x-key")})],
    "a header, else nobody": [("3/minute", {}), ("2/minute", {"key": header("x-key", None)})],
    "shared": [("4/minute", {"scope": "db"}), ("3/minute", {})],
    "blocked": [("5/minute", {}), ("0/minute", {"scope": "closed"})],
    "more than one check holds": [(f"{count}/minute", {}) for count in range(2, 13)],
}
REQUESTS: list[list[tuple[str, str]]] = [
    [],
    [],
    [("x-key", "a")],
    [("x-key", "a"), ("x-key", "b")],
    [],
    [("x-key", "b")],
]


def answers(limits: list[tuple[str, LimitOptions]], *, planned: bool) -> tuple[list[int], Any]:
    """Ask a route with these limits; return the statuses, and the keys that were charged."""

    async def view(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    limiter = Limiter("20/minute", service="shop")
    for text, options in limits:
        asked: LimitOptions = {**options, "exempt_when": lambda: False} if planned else options
        limiter.limit(text, **asked)(view)
    app = Starlette(routes=[Route("/", view)])
    app.add_middleware(limiter.asgi)
    with isolated() as memory:
        client = TestClient(app)
        statuses = [client.get("/", headers=fields).status_code for fields in REQUESTS]
        return statuses, memory.keys()


@pytest.mark.parametrize("case", CASES)
def test_the_short_way_decides_as_the_plan_does(case: str) -> None:
    """A condition that is never true makes each of the same limits take the long way."""
    assert answers(CASES[case], planned=False) == answers(CASES[case], planned=True)


def test_what_is_decided_differs_by_case() -> None:
    """Else the test above would compare nothing."""
    assert answers(CASES["one"], planned=False)[0] == [200, 200, 429, 429, 429, 429]
    assert answers(CASES["a header, else nobody"], planned=False)[0][3] == 400
