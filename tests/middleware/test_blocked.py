"""A limit of no tokens, "0/minute", lets nothing pass, wherever it is asked for."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from sidegate import BlockingClient, Client, CostError, Limiter, Rule, parse_limits
from sidegate.buckets.buckets import BucketTable
from sidegate.http.headers import retry_after
from sidegate.testing import Memory
from tests.support.middleware.asgi_app import App, http, status

MIXED = "0/minute; 5/hour"


@pytest.mark.parametrize("text", ["0/minute", MIXED])
def test_a_table_denies_it_and_keeps_nothing(text: str) -> None:
    table, limits = BucketTable(1_000_000), parse_limits(text)
    assert table.take("k", limits, 1, 0) == (False, [])
    assert table.take("k", limits, 0, 0) == (True, [0] * len(limits))  # only a look
    assert len(table) == 0
    assert table.take("k", parse_limits("5/hour"), 5, 0)[0]  # nothing was charged


@pytest.mark.parametrize("text", ["0/minute", MIXED])
async def test_clients_are_denied_without_a_moment_to_come_back(
    text: str, sidegate: Memory
) -> None:
    denied = [await Client().check("k", text), BlockingClient().check("k", text)]
    for decision in denied:
        assert (decision.allowed, decision.retry_after, decision.remaining) == (False, 0.0, None)
        assert retry_after(decision) == 0
    assert sidegate.keys() == []


async def test_nobody_waits_for_it(sidegate: Memory) -> None:
    with pytest.raises(CostError):
        await Client().acquire("k", "0/minute")
    with pytest.raises(CostError):
        BlockingClient().acquire("k", "0/minute")
    assert sidegate.keys() == []


async def test_a_rule_refuses_without_asking() -> None:
    limiter = Limiter(rules=[Rule("closed", "0/day", path="/old"), Rule("rest", "9/day")])
    app = limiter.asgi(App())
    assert await status(app, http("/old")) == 429
    assert await status(app, http("/new")) == 200


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_its_share_lets_nothing_pass_either(parts: int) -> None:
    assert parse_limits(MIXED).divided(parts).items[0].text == "0/minute"


def test_a_route_refuses_without_asking() -> None:
    """So it is closed also where nobody decides, and everything else is let through."""
    limiter, app = Limiter(sidecar="off"), FastAPI()

    @app.get("/")
    @limiter.limit("0/minute")
    async def closed() -> None:
        pass

    refused = TestClient(app).get("/")
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
