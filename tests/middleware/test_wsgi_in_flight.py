"""Rules with `in_flight` in the WSGI middleware: a request holds its slot until it is closed."""

from collections.abc import Iterator
from typing import Any

import pytest

from sidegate.http.rules import Rule
from sidegate.testing import Memory, isolated
from sidegate.wsgi import RateLimitWSGIMiddleware
from tests.support.middleware.checker import BlockingChecker
from tests.support.middleware.wsgi_app import App, Response, environ

KEY = "api:192.0.2.1"


@pytest.fixture(autouse=True)
def memory() -> Iterator[Memory]:
    with isolated() as memory:
        yield memory


def limited(app: Any, limits: str = "100/minute", **more: Any) -> RateLimitWSGIMiddleware:
    rule = Rule("api", limits, in_flight=1)
    if "client" not in more:
        more.setdefault("sidecar", "memory")
    return RateLimitWSGIMiddleware(app, rules=[rule], **more)


def test_a_response_holds_its_slot_until_it_is_closed(memory: Memory) -> None:
    app = App()
    asked = limited(app)
    first = Response(asked, environ())
    assert first.status == "200 OK"
    assert memory.slots.in_flight(KEY) == 1
    refused = Response(asked, environ())
    assert refused.status == "429 Too Many Requests"
    assert refused.fields["Retry-After"] == "1"
    assert b"".join(first.body) == b"hello"
    first.body.close()
    assert app.body.closed
    assert memory.slots.in_flight(KEY) == 0
    assert Response(asked, environ()).status == "200 OK"


def test_a_slot_is_free_when_the_app_fails(memory: Memory) -> None:
    def app(*_: object) -> Any:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Response(limited(app), environ())
    assert memory.slots.in_flight(KEY) == 0


def test_what_the_limits_deny_gives_its_slot_back(memory: Memory) -> None:
    asked = limited(App(), "1/hour")
    Response(asked, environ()).body.close()
    assert Response(asked, environ()).status == "429 Too Many Requests"
    assert memory.slots.in_flight(KEY) == 0


def test_a_rule_without_it_leaves_the_response_as_it_is() -> None:
    app = App()
    rule = Rule("api", "100/minute")
    response = Response(RateLimitWSGIMiddleware(app, rules=[rule], sidecar="memory"), environ())
    assert response.body is app.body


def test_a_client_without_slots_is_told_of_at_once() -> None:
    with pytest.raises(ValueError, match=r"client=.*: expected one with slot\(\)"):
        limited(App(), client=BlockingChecker())
