"""Current: the requests that several limiters have at hand, each its own."""

import asyncio

import pytest

from sidegate import Decision, parse_limits
from sidegate.asgi.middleware import ScopeRequest
from sidegate.buckets.decision import Source
from sidegate.http.request.proxies import NO_PROXIES
from sidegate.limiter.checks.current import Current, begin, current_of, end, innermost, outside
from sidegate.limiter.checks.sent import SentResponse
from tests.support.middleware.asgi_app import http
from tests.support.middleware.checker import BlockingChecker


def request(limiter: object, outer: Current | None = None) -> Current:
    return Current(limiter, ScopeRequest(http("/x"), NO_PROXIES), outer)


def decisions(*limits: str) -> list[Decision]:
    """Return the decisions about a new key for each of some limits."""
    owner = BlockingChecker()
    return [owner.check("k", parse_limits(text), 1) for text in limits]


def test_each_limiter_finds_its_own_and_all_is_as_before_at_the_end() -> None:
    outer = request("outer")
    token = begin(outer)
    inner = request("inner", innermost())
    other = begin(inner)
    assert (current_of("outer"), current_of("inner"), current_of("third")) == (outer, inner, None)
    end(other)
    assert (current_of("inner"), innermost()) == (None, outer)
    end(token)
    assert innermost() is None


async def test_tasks_have_each_their_own() -> None:
    met = asyncio.Barrier(5)

    async def handle(at: int) -> bool:
        mine = request(at)
        token = begin(mine)
        await met.wait()
        try:
            return current_of(at) is mine and innermost() is mine
        finally:
            end(token)

    assert await asyncio.gather(*(handle(at) for at in range(5))) == [True] * 5


def test_what_matters_most_is_who_refused_then_who_has_least_left() -> None:
    current = request("limiter")
    current.decisions = decisions("10/hour", "2/hour", "4/hour")
    assert (current.limit, current.remaining, current.allowed) == (2, 1, True)
    assert current.retry_after == 0.0
    assert current.reset_after == pytest.approx(1800, rel=0.01)
    refused = Decision(False, parse_limits("100/hour"), 1, (), Source.CLOSED)
    current.decisions = [*current.decisions, refused]
    assert (current.decision, current.allowed) == (refused, False)


def test_outside_there_is_no_request() -> None:
    current = outside("limiter")
    assert current.request is None
    assert (current.view.method, current.view.path, current.view.peer) == ("", "", "")
    assert (current.view.lines("x"), current.view.names(), current.view.raw) == ([], [], {})
    assert (current.path, current.root, current.method) == ("", "", "")


# --- what charge_when is shown


def test_a_sent_response_has_a_status_and_fields_of_any_case() -> None:
    lines = [(b"X-Cost", b"1"), (b"x-cost", b"2"), (b"Vary", b"caf\xe9")]
    sent = SentResponse({"type": "http.response.start", "status": 404, "headers": lines})
    assert sent.status_code == 404
    assert sent.headers["x-COST"] == "1"
    assert sent.headers.get("nothing") is None
    assert {**sent.headers} == {"x-cost": "1", "vary": "café"}
    assert len(sent.headers) == 2
    with pytest.raises(KeyError):
        sent.headers["nothing"]


def test_an_accepted_websocket_has_switched_protocols() -> None:
    sent = SentResponse({"type": "websocket.accept"})
    assert (sent.status_code, {**sent.headers}) == (101, {})
