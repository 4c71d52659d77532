"""The HTTP API about many keys at once: listed and reset over all nodes."""

from typing import Any

import httpx2
import pytest

from sidegate.protocol.key_messages import KeyOrder, KeyRow, KeysBy, KeysListed, ListKeys
from sidegate_sidecar.fronts.http.app.key_models import KeysFound
from sidegate_sidecar.links.keys import all_keys
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import cluster
from tests.support.in_process.http_client import charged, check, http, problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYONE: dict[str, Any] = {"answered": 1, "of": 1, "missing": [], "unfinished": []}


async def listed(client: httpx2.AsyncClient, **query: str | int) -> dict[str, Any]:
    """List keys, which must be answered."""
    answer = await client.get("/v1/keys", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_keys_are_listed_with_their_buckets_as_one_key_shows_them(
    client: httpx2.AsyncClient,
) -> None:
    for key, cost in (("list:a", 1), ("list:b", 4), ("list:c", 2)):
        await check(client, key, "5/hour", cost)
    alone = (await client.get("/v1/keys/list:b")).json()["buckets"]
    found = await listed(client, prefix="list:", max=2)
    assert found["nodes"] == EVERYONE
    assert (found["prefix"], found["identity"], found["order"]) == ("list:", None, "debt")
    assert [(it["key"], it["owner"]) for it in found["keys"]] == [
        ("list:b", "n1"),
        ("list:c", "n1"),
    ]
    assert found["more"]
    [bucket], [same] = found["keys"][0]["buckets"], alone
    assert 0 <= same.pop("reset_after") - bucket.pop("reset_after") < 60
    assert bucket == same == {"limit": "5/hour", "burst": 5, "remaining": 1}


async def test_the_order_may_be_that_of_the_keys(client: httpx2.AsyncClient) -> None:
    for key, cost in (("order:b", 1), ("order:a", 4)):
        await check(client, key, "5/hour", cost)
    found = await listed(client, prefix="order:", order="key")
    assert [it["key"] for it in found["keys"]] == ["order:a", "order:b"]
    assert not found["more"]


async def test_an_identity_is_found_over_all_rules(client: httpx2.AsyncClient) -> None:
    for key in ("one:2001:db8::/64", "two:2001:db8::/64", "two:2001:db8:1::/64"):
        await check(client, key, "5/hour")
    found = await listed(client, identity="2001:db8::/64", order="key")
    assert [it["key"] for it in found["keys"]] == ["one:2001:db8::/64", "two:2001:db8::/64"]
    assert (found["prefix"], found["identity"]) == (None, "2001:db8::/64")


async def test_all_that_begin_so_are_forgotten_and_counted_by_node() -> None:
    async with cluster("n1", "n2") as nodes, http(nodes[0]) as client:
        ring = nodes[0].cluster.ring
        keys = [f"login:{at}" for at in range(20)]
        for key in keys:
            charged(nodes[ring.owner(key) == "n2"], key, "10/hour", 1)
        charged(nodes[0], "other", "10/hour", 1)
        answer = await client.delete("/v1/keys", params={"prefix": "login:"})
        owned = {name: sum(ring.owner(key) == name for key in keys) for name in ring.nodes}
        assert answer.json() == {
            "prefix": "login:",
            "forgotten": 20,
            "by_node": [{"node": name, "buckets": count} for name, count in owned.items()],
            "nodes": {"answered": 2, "of": 2, "missing": []},
        }
        assert (await listed(client, prefix="login:"))["keys"] == []
        assert nodes[0].node.buckets.held("other", nodes[0].clock())


async def test_every_key_is_forgotten_where_all_are_meant(client: httpx2.AsyncClient) -> None:
    await check(client, "everything", "5/hour")
    answer = await client.delete("/v1/keys", params={"all": "true"})
    assert answer.json()["forgotten"] >= 1
    assert (await listed(client))["keys"] == []


async def test_a_node_out_of_reach_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_keys, "RESET_WITHIN", 0.2)
    async with ring_with_puppet(budget=0.05) as (_, _, client, _):
        found = await listed(client)
        assert found["nodes"] == {
            "answered": 1,
            "of": 2,
            "missing": ["puppet"],
            "unfinished": [],
        }
        answer = (await client.delete("/v1/keys", params={"prefix": "login:"})).json()
        assert answer["nodes"] == {"answered": 1, "of": 2, "missing": ["puppet"]}


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ({"order": "size"}, "order", "order 'size': expected debt or key"),
        ({"max": "0"}, "max", "max '0': expected a whole number from 1 to 1,000"),
        ({"max": "1001"}, "max", "max '1001': expected a whole number from 1 to 1,000"),
        ({"max": "many"}, "max", "max 'many': expected a whole number from 1 to 1,000"),
        ({"max": "9" * 5_000}, "max", f"max '{'9' * 80}': expected"),
        ({"prefix": "a" * 513}, "prefix", "513 bytes: expected at most 512"),
        ({"identity": "ä" * 257}, "identity", "514 bytes: expected at most 512"),
        ({"identity": "a", "prefix": "b"}, "identity", "identity 'a': expected no prefix beside"),
    ],
)
async def test_what_cannot_be_listed_is_named_with_its_value(
    query: dict[str, str], field: str, detail: str, client: httpx2.AsyncClient
) -> None:
    answer = problem(await client.get("/v1/keys", params=query), 422)
    assert [error["field"] for error in answer["errors"]] == [field]
    assert detail in answer["detail"]


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ({}, "prefix", "prefix '': expected at least one character, or all=true"),
        ({"prefix": ""}, "prefix", "prefix '': expected at least one character, or all=true"),
        ({"all": "false"}, "prefix", "prefix '': expected at least one character, or all=true"),
        ({"all": "yes!"}, "all", "all 'yes!': expected true or false"),
        ({"prefix": "a" * 513}, "prefix", "513 bytes: expected at most 512"),
    ],
)
async def test_what_cannot_be_reset_is_named_with_its_value(
    query: dict[str, str], field: str, detail: str, client: httpx2.AsyncClient
) -> None:
    await check(client, "stays", "5/hour")
    answer = problem(await client.delete("/v1/keys", params=query), 422)
    assert [error["field"] for error in answer["errors"]] == [field]
    assert detail in answer["detail"]
    assert (await listed(client, prefix="stays"))["keys"]


async def test_a_long_list_is_made_in_slices() -> None:
    """Checks go first."""
    asked = ListKeys(1, 0, 1, KeysBy.PREFIX, "", KeyOrder.DEBT, 100)
    rows: list[KeyRow] = [(f"k{at}", 0, [("5/hour", 9)]) for at in range(100)]
    steps = KeysFound.of(asked, KeysListed(1, ["n1"], [], [], rows, 0))
    assert sum(1 for _ in steps) == len(rows)
