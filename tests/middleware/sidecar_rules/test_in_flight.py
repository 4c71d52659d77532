"""Rules of the sidecar with `in_flight`: requests hold slots by them, or the log says that not."""

import asyncio
from typing import Any

import pytest

from sidegate import BlockingClient, Client, Limiter, RateLimitMiddleware, Rule
from sidegate.ruleset.ruleset import RuleSet
from sidegate.testing import isolated
from sidegate.wsgi import RateLimitWSGIMiddleware
from tests.middleware.ruleset.asked import rules
from tests.middleware.sidecar_rules.ruled import limiter_asgi
from tests.support.in_process.cluster import eventually
from tests.support.middleware.asgi_app import http, run
from tests.support.middleware.wsgi_app import App, Response, environ

CHAT = {"name": "chat", "match": {"path": "/chat"}, "in_flight": 1}
KEY = "chat:192.0.2.1"


class RuledClient(Client):
    """Counts in this process, by rules that are as if pushed."""

    def __init__(self, found: RuleSet) -> None:
        super().__init__("memory")
        self.found = found

    def rules(self) -> RuleSet | None:
        return self.found


class RuledBlockingClient(BlockingClient):
    """The same for threads."""

    def __init__(self, found: RuleSet) -> None:
        super().__init__("memory")
        self.found = found

    def rules(self) -> RuleSet | None:
        return self.found


async def test_an_asgi_app_holds_slots_by_pushed_rules() -> None:
    goes_on, running = asyncio.Event(), 0

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal running
        running += 1
        await goes_on.wait()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    with isolated() as memory:
        client: Any = RuledClient(rules(CHAT))
        limited = RateLimitMiddleware(app, rules="sidecar", client=client)
        first = asyncio.create_task(run(limited, http("/chat")))
        await eventually(lambda: running)
        assert (await run(limited, http("/chat")))[0]["status"] == 429
        goes_on.set()
        assert (await first)[0]["status"] == 200
        assert memory.slots.in_flight(KEY) == 0
        assert (await run(limited, http("/other")))[0]["status"] == 200


def test_a_wsgi_app_holds_slots_by_pushed_rules() -> None:
    with isolated() as memory:
        client: Any = RuledBlockingClient(rules(CHAT))
        limited = RateLimitWSGIMiddleware(App(), rules="sidecar", client=client)
        response = Response(limited, environ(PATH_INFO="/chat"))
        assert memory.slots.in_flight(KEY) == 1
        assert Response(limited, environ(PATH_INFO="/chat")).status.startswith("429")
        response.body.close()
        assert memory.slots.in_flight(KEY) == 0


async def test_a_limiter_says_that_it_holds_none(caplog: pytest.LogCaptureFixture) -> None:
    front = limiter_asgi(rules(CHAT))
    for _ in range(3):
        assert (await front.ask("/chat")).status == 200
    assert [it.message for it in caplog.records if "in_flight" in it.message][1:] == []
    assert "a Limiter doesn't" in caplog.text


def test_a_limiter_takes_no_such_rule_in_code() -> None:
    with pytest.raises(ValueError, match="in_flight is for a RateLimitMiddleware"):
        Limiter(rules=[Rule("chat", "5/minute", in_flight=1)])
