"""The HTTP API about reports: what was decided of late, by all nodes."""

import asyncio
from time import time
from typing import Any, get_args

import httpx2
import pytest

from sidegate.protocol.report_messages import By
from sidegate_sidecar.fronts.http.app.reports.report_models import ReportResponse
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS, clients, cluster, eventually, key_of
from tests.support.in_process.http_client import check, http, problem

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def report(client: httpx2.AsyncClient, **asked: str) -> dict[str, Any]:
    """Return a report."""
    answer = await client.get("/v1/report", params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_any_node_says_who_was_denied_most() -> None:
    async with cluster("n1", "n2") as nodes, clients(*nodes) as asking, http(nodes[1]) as client:
        ring = nodes[0].cluster.ring
        hammered, once = key_of("n1", ring, "api:h"), key_of("n2", ring, "login:o")
        await asyncio.gather(*(it.check(hammered, "5/hour") for it in asking for _ in range(10)))
        await asking[0].check(once, "5/hour", 2)
        seen = await report(client)
        by_rule = await report(client, by="rule", last="90s")
        only = await report(client, rule="login", top="1")
        line = await report(client, by="time", last="10s")
    totals = {"allowed": 6, "denied": 15, "shadowed": 0, "errors": 0, "cost": 7}
    assert seen["nodes"] == {"answered": 2, "of": 2, "missing": []}
    assert (seen["last"], seen["rule"], seen["by"], seen["error"]) == (300.0, None, "key", 0)
    assert seen["totals"] == totals
    assert seen["rows"] == [
        {"key": hammered, "rule": "api", "node": "n1", "asked": 20, "asked_error": 0}
        | {"denied": 15, "denied_error": 0},
        {"key": once, "rule": "login", "node": "n2", "asked": 1, "asked_error": 0}
        | {"denied": 0, "denied_error": 0},
    ]
    assert by_rule["rows"] == [
        {"rule": "api", "allowed": 5, "denied": 15, "shadowed": 0, "errors": 0, "cost": 5},
        {"rule": "login", "allowed": 1, "denied": 0, "shadowed": 0, "errors": 0, "cost": 2},
    ]
    assert only["rule"] == "login"
    assert only["rows"] == [seen["rows"][1]]
    moments = line["rows"]
    assert [it["time"] - moments[0]["time"] for it in moments] == list(range(10))
    assert abs(moments[-1]["time"] - time()) < 20
    assert sum(it["denied"] for it in moments) == 15


@pytest.mark.parametrize("by", get_args(By))
async def test_a_report_is_what_the_document_says(by: By) -> None:
    async with cluster("n1") as (one,), http(one) as client:
        await check(client, "api:löl")
        seen = await report(client, by=by)
        assert ReportResponse.model_validate(seen, extra="forbid").model_dump() == seen


async def test_a_node_that_does_not_answer_is_named() -> None:
    async with cluster("n1", "n2") as (one, two), http(one) as client:
        await check(client, "api:k")
        await two.stop()
        await eventually(lambda: not one.peers.is_up("n2"))
        assert (await report(client))["nodes"] == {"answered": 1, "of": 2, "missing": ["n2"]}


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"last": "5x"}, "last", "last='5x': expected whole seconds from 1s to 3h, such as \"5m\""),
        ({"last": ""}, "last", "last='': expected whole seconds from 1s to 3h, such as \"5m\""),
        ({"last": "1h"}, "last", "last='1h': expected at most 10m, as keys are kept no longer"),
        ({"by": "x"}, "by", "by='x': expected one of key, rule, source, node, time"),
        ({"top": "0"}, "top", "top='0': expected a whole number from 1 to 1,000"),
        ({"top": "1001"}, "top", "top='1001': expected a whole number from 1 to 1,000"),
        ({"top": "x"}, "top", "top='x': expected a whole number from 1 to 1,000"),
        ({"event": ""}, "event", "event='': expected the name of an event"),
        ({"event": "a:b"}, "event", "event='a:b': expected the name of an event"),
        ({"event": "a", "rule": "b"}, "rule", "rule='b': expected no rule beside an event"),
        (
            {"event": "a", "by": "source"},
            "by",
            "by='source': expected one of key, event, node, time",
        ),
        ({"rule": ""}, "rule", "rule='': expected the name of a rule, up to 512 bytes of UTF-8"),
    ],
)
async def test_bad_input_is_named_with_what_was_expected(
    asked: dict[str, str], field: str, message: str, client: httpx2.AsyncClient
) -> None:
    body = problem(await client.get("/v1/report", params=asked), 422)
    assert body["errors"] == [{"field": field, "message": message}]
    assert body["detail"] == message


async def test_a_rule_that_no_node_knows_is_not_found(client: httpx2.AsyncClient) -> None:
    """And the answer names those that there are."""
    await check(client, "api:k")
    body = problem(await client.get("/v1/report", params={"rule": "apy"}), 404)
    assert body["detail"].startswith('rule "apy": no node has decided a check of it; they have ')
    assert '"api"' in body["detail"]


async def test_events_of_apps_are_told_in_place_of_checks() -> None:
    """With counts and sums; an event that nobody has recorded came 0 times."""
    async with cluster("n1", "n2") as nodes, http(nodes[1]) as client:
        async with clients(nodes[0]) as (asking,):
            asking.record("signup", "DE", 2.5)
            asking.record("signup", "FR")
            asking.record("signup", "DE", 2.5)

        async def is_counted() -> bool:
            return bool((await report(client, event="signup"))["totals"]["count"] == 3)

        assert await until(is_counted, within=GENEROUS, look_every=0.02)
        seen = await report(client, event="signup", last="10m")
        line = await report(client, event="signup", by="time", last="60s")
        none = await report(client, event="sign", by="node")
    assert (seen["event"], seen["by"], seen["last"]) == ("signup", "key", 600.0)
    assert seen["nodes"] == {"answered": 2, "of": 2, "missing": []}
    assert seen["totals"] == {"count": 3, "sum": 6.0}
    ring = nodes[0].cluster.ring
    assert seen["rows"] == [
        {"key": key, "event": "signup", "node": ring.owner(f"signup:{key}"), "count": count}
        | {"count_error": 0, "sum": total, "sum_error": 0.0}
        for key, count, total in (("DE", 2, 5.0), ("FR", 1, 1.0))
    ]
    assert len(line["rows"]) == 60
    assert sum(row["count"] for row in line["rows"]) == 3
    assert (none["totals"], none["rows"]) == ({"count": 0, "sum": 0.0}, [])


async def test_keys_are_shown_as_they_may_be() -> None:
    """Where no secret is asked for and other machines can ask, never plain."""
    async with cluster("n1", report_keys="hashed") as (one,), http(one) as client:
        await check(client, "api:alice")
        (row,) = (await client.get("/v1/report")).json()["rows"]
        assert row["key"].startswith("api:")
        assert "alice" not in row["key"]
        assert row["rule"] == "api"
