"""The HTTP API about reservations: what it takes, what it answers, and what it refuses."""

from typing import Any

import httpx2
import pytest

from tests.support.in_process.cluster import cluster
from tests.support.in_process.http_client import http

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = "20000/day"


async def reserve(client: httpx2.AsyncClient, key: str, amount: int, **more: Any) -> dict[str, Any]:
    """Reserve, which must be answered."""
    body = {"key": key, "limits": DAY, "amount": amount, **more}
    answer = await client.post("/v1/reserve", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def commit(client: httpx2.AsyncClient, reservation: str, actual: int) -> dict[str, Any]:
    """Commit, which must be answered."""
    answer = await client.post("/v1/commit", json={"id": reservation, "actual": actual})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def remaining(client: httpx2.AsyncClient, key: str) -> int:
    """Return how many tokens a key has left."""
    answer = await client.post("/v1/check", json={"key": key, "limits": DAY, "cost": 0})
    return int(answer.json()["remaining"])


async def test_what_is_held_is_committed_once(client: httpx2.AsyncClient) -> None:
    held = await reserve(client, "held", 5_000)
    assert (held["allowed"], held["held"], held["remaining"]) == (True, 5_000, 15_000)
    assert (held["source"], held["owner"], held["retry_after"]) == ("owner", "n1", 0)
    for actual in (1_200, 7):
        assert await commit(client, held["reservation"], actual) == {
            "actual": 1_200,
            "given_back": 3_800,
            "charged": 0,
            "source": "owner",
            "node": "n1",
        }
    assert await remaining(client, "held") == 18_800


async def test_a_denial_holds_nothing(client: httpx2.AsyncClient) -> None:
    await reserve(client, "denied", 19_000)
    denied = await reserve(client, "denied", 5_000)
    assert (denied["allowed"], denied["reservation"], denied["held"]) == (False, None, 0)
    assert denied["retry_after"] > 3_600
    assert await remaining(client, "denied") == 1_000


async def test_more_than_may_be_held_is_cut(client: httpx2.AsyncClient) -> None:
    assert (await reserve(client, "cut", 50_000, max_fraction=0.5))["held"] == 10_000
    assert (await reserve(client, "cut", 9_000))["held"] == 9_000


async def test_the_same_id_is_the_same_and_another_check_a_conflict(
    client: httpx2.AsyncClient,
) -> None:
    one, two = [await reserve(client, "same", 5_000, id="job-7") for _ in range(2)]
    assert one["reservation"] == two["reservation"]
    body = {"key": "same", "limits": DAY, "amount": 4_000, "id": "job-7"}
    answer = await client.post("/v1/reserve", json=body)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "id 'job-7': expected what it had first, 5000 of 20000/day"


WRONG: dict[str, Any] = {
    "key": "k" * 513,
    "limits": "20000/eon",
    "amount": -1,
    "ttl": 3_601,
    "id": "",
    "max_fraction": 0,
    "other": 1,
}


@pytest.mark.parametrize("field", WRONG)
async def test_a_wrong_field_is_named(client: httpx2.AsyncClient, field: str) -> None:
    body = {"key": "k", "limits": DAY, "amount": 5, field: WRONG[field]}
    answer = await client.post("/v1/reserve", json=body)
    assert answer.status_code == 422
    assert [it["field"] for it in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("reservation", ["r1.AAAA", "x", "r1." + "A" * 4_000])
async def test_what_is_no_reservation_is_told_so(
    client: httpx2.AsyncClient, reservation: str
) -> None:
    answer = await client.post("/v1/commit", json={"id": reservation, "actual": 1})
    assert answer.status_code == 422
    assert "expected" in answer.json()["detail"] or "cluster" in answer.json()["detail"]


async def test_a_rule_that_isnt_there_is_told_so(client: httpx2.AsyncClient) -> None:
    body = {"key": "k", "limits": "@llm", "amount": 5}
    answer = await client.post("/v1/reserve", json=body)
    assert answer.status_code == 422
    assert 'rule "llm": expected one of' in answer.json()["detail"]


async def test_the_secret_has_to_be_shown() -> None:
    async with cluster("n1", secret=b"a secret of sixteen bytes") as (node,), http(node) as client:
        for path in ("/v1/reserve", "/v1/commit"):
            assert (await client.post(path, json={})).status_code == 401


async def test_it_is_committed_at_another_node() -> None:
    async with cluster("n1", "n2") as (one, two), http(one) as asking, http(two) as other:
        for at in range(4):
            held = await reserve(asking, f"k{at}", 5_000)
            assert (await commit(other, held["reservation"], 1_200))["given_back"] == 3_800
            assert await remaining(asking, f"k{at}") == 18_800
