"""The HTTP API: what it decides, what it refuses, and how it says so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sidegate.link.address import parse_address
from sidegate.protocol.messages import Answers, Checks
from sidegate.trust.secrets import SecretFile
from sidegate_sidecar.config import Role
from sidegate_sidecar.fronts.http.app.api import create_app
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import cluster
from tests.support.in_process.http_client import check, http, problem

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- check


async def test_a_check_says_what_was_decided(client: httpx2.AsyncClient) -> None:
    """All fields of the answer, for the first tokens of a key."""
    answer = await check(client, "said", "4/hour", cost=3)
    assert 2699 < answer.pop("reset_after") <= 2700
    assert answer == {
        "allowed": True,
        "limits": "4/hour",
        "limit": 4,
        "remaining": 1,
        "retry_after": 0.0,
        "source": "owner",
        "owner": "n1",
    }


async def test_a_denial_is_an_answer_too(client: httpx2.AsyncClient) -> None:
    """A denied check has status 200, and says when to try again."""
    await check(client, "denied", "4/hour", cost=3)
    answer = await check(client, "denied", "4/hour", cost=3)
    assert answer["allowed"] is False
    assert answer["remaining"] == 1
    assert 1790 < answer["retry_after"] <= 1800


async def test_the_limit_that_binds_is_shown(client: httpx2.AsyncClient) -> None:
    """Of several limits the answer shows the one with the least left, and all in canonical form."""
    answer = await check(client, "binding", "100 per minute, 2/hour")
    assert (answer["limits"], answer["limit"], answer["remaining"]) == ("100/minute; 2/hour", 2, 1)


async def test_a_cost_of_nothing_only_looks(client: httpx2.AsyncClient) -> None:
    """A cost of 0 charges nothing; a cost left out is 1."""
    looked = [(await check(client, "looked", "4/hour", cost=0))["remaining"] for _ in range(2)]
    answer = await client.post("/v1/check", json={"key": "looked", "limits": "4/hour"})
    assert looked == [4, 4]
    assert answer.json()["remaining"] == 3


async def test_all_nodes_decide_together() -> None:
    """Thirty checks over three nodes at once on one key of 10/hour: ten are allowed."""
    async with (
        cluster("n1", "n2", "n3") as nodes,
        http(nodes[0]) as one,
        http(nodes[1]) as two,
        http(nodes[2]) as three,
    ):
        for client in (one, two, three):  # FastAPI silences warnings in one thread at a time
            await check(client, "first")
        checks = [
            check(client, "all", "10/hour") for client in (one, two, three) for _ in range(10)
        ]
        answers = await asyncio.gather(*checks)
        owner = nodes[0].cluster.ring.owner("all")
    assert sum(answer["allowed"] for answer in answers) == 10
    assert {answer["source"] for answer in answers} == {"owner"}
    assert {answer["owner"] for answer in answers} == {owner}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("open", {"allowed": True, "limits": "10/hour", "remaining": None, "reset_after": None}),
        ("closed", {"allowed": False, "limits": "10/hour", "remaining": None, "retry_after": 0}),
        ("local", {"allowed": True, "limits": "5/hour", "limit": 5, "remaining": 1}),
    ],
)
async def test_when_nobody_answers_the_policy_does(policy: str, expected: dict[str, Any]) -> None:
    """Where no node that owns keys can be asked, the source says which policy it was."""
    options = {"on_unreachable": policy, "budget": 0.05, "role": Role.LEAF}
    async with ring_with_puppet(**options) as (_, _, client, key):
        answer = await check(client, key, "10/hour", cost=4)
    assert (answer["source"], answer["owner"]) == (policy, "puppet")
    assert {name: answer[name] for name in expected} == expected


async def test_a_silent_owner_is_stood_in_for() -> None:
    """When the owner doesn't answer its backup decides, and the source says so."""
    async with ring_with_puppet(budget=0.05) as (_, _, client, key):
        answer = await check(client, key, "10/hour", cost=4)
    assert (answer["source"], answer["owner"]) == ("backup", "puppet")
    assert (answer["allowed"], answer["limits"], answer["remaining"]) == (True, "10/hour", 6)


async def test_what_the_owner_takes_for_bad_input_is_bad_input() -> None:
    """An owner of another release may not take what this node does: that is a 422 as well."""
    async with ring_with_puppet() as (_, owner, client, key):
        body = {"key": key, "limits": "5/hour"}
        asking = asyncio.create_task(client.post("/v1/check", json=body))
        asked = await owner.hear(Checks)
        await owner.say(Answers(asked.id, "owner", "puppet", None, ["no hours here"]))
        answer = problem(await asking, 422)
    assert answer["detail"] == "no hours here"


# --- bad input


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "key", "required"),
        ({"key": 5, "limits": "1/s"}, "key", "string"),
        ({"key": "k" * 513, "limits": "1/s"}, "key", "513 bytes: expected at most 512"),
        ({"key": "k"}, "limits", "required"),
        ({"key": "k", "limits": ""}, "limits", "nothing here"),
        ({"key": "k", "limits": "5/fortnight"}, "limits", 'unknown unit "fortnight"'),
        ({"key": "k", "limits": "9/m; 0/s burst 2"}, "limits", "a burst of 2 without tokens"),
        ({"key": "k", "limits": "5/s", "cost": -1}, "cost", "cost -1: expected 0 to 5"),
        ({"key": "k", "limits": "5/s", "cost": 6}, "cost", "cost 6: expected 0 to 5"),
        ({"key": "k", "limits": "5/s", "cost": 10**30}, "cost", "expected 0 to 5"),
        ({"key": "k", "limits": "?", "cost": 10**30}, "cost", "expected 0 to 1000000000000"),
        ({"key": "k", "limits": "5/s", "cost": 1.5}, "cost", "integer"),
        ({"key": "k", "limits": "5/s", "cost": "1"}, "cost", "integer"),
        ({"key": "k", "limits": "5/s", "cost": True}, "cost", "integer"),
        ({"key": "k", "limits": "5/s", "costs": 1}, "costs", "not permitted"),
    ],
)
async def test_bad_input_is_named(
    body: dict[str, Any], field: str, words: str, client: httpx2.AsyncClient
) -> None:
    """Each field that is wrong is named, with what was expected of it."""
    answer = problem(await client.post("/v1/check", json=body), 422)
    messages = {error["field"]: error["message"] for error in answer["errors"]}
    assert words in messages[field]
    assert words in answer["detail"]


async def test_everything_that_is_wrong_is_said_at_once(client: httpx2.AsyncClient) -> None:
    """Three wrong fields make three errors, and one sentence with all of them."""
    body = {"key": 1, "limits": "x", "cost": "y"}
    answer = problem(await client.post("/v1/check", json=body), 422)
    assert [error["field"] for error in answer["errors"]] == ["key", "limits", "cost"]
    assert answer["detail"].count("; ") == 2


@pytest.mark.parametrize(
    ("content", "content_type", "status", "words"),
    [
        (b"", "", 422, "expected JSON and Content-Type: application/json, not none"),
        (b"key=k", "application/x-www-form-urlencoded", 422, "not 'application/x-www-form"),
        (b"", "application/json", 422, "expected a JSON object"),
        (b"[]", "application/json", 422, "expected a JSON object"),
        (b'{"key": }', "application/json", 422, "expected JSON; Expecting value at character 8"),
        (b'{"key": "\\ud800", "limits": "1/s"}', "application/json", 422, "key: expected text"),
        (b"\xff", "application/json", 400, "body"),
        (b"[" * 50_000, "application/json", 400, "body"),
        (b"9" * 5_000, "application/json", 400, "body"),
    ],
)
async def test_what_is_no_json_object_is_refused(
    content: bytes, content_type: str, status: int, words: str, client: httpx2.AsyncClient
) -> None:
    """A body that isn't a JSON object is refused with what was expected instead."""
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await client.post("/v1/check", content=content, headers=headers)
    assert words in problem(answer, status)["detail"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_long_body_is_refused(chunked: bool, client: httpx2.AsyncClient) -> None:
    """More than 64 KiB get a 413, announced or not, and the next call is answered."""
    json = {"Content-Type": "application/json"}
    fits, longer = b" " * 65_536, b" " * 65_537
    for body, status in ((fits, 422), (longer, 413)):
        content = _chunks(body) if chunked else body
        answer = problem(await client.post("/v1/check", content=content, headers=json), status)
    assert "65,536 bytes" in answer["detail"]
    assert (await check(client, "after"))["allowed"]


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


ANYWHERE = parse_address("0.0.0.0:0")
# --- who may

CHANGES = [("POST", "/v1/check"), ("DELETE", "/v1/keys/k"), ("DELETE", "/v1/keys?prefix=k")]
BODY = {"key": "k", "limits": "5/hour"}


@pytest.mark.parametrize("secret", [b"open sesame", "пароль".encode(), b"\x80\xff"])
async def test_changes_need_the_secret(secret: bytes) -> None:
    """With a secret, what changes something needs it as a bearer token; nothing else does."""
    wrong = [b"wrong", secret[:-1], secret + b"x"]
    refused = [{}, {b"Authorization": b"Basic " + secret}, *map(bearer, wrong)]
    async with cluster("n1", secret=secret) as (node,), http(node) as client:
        for method, path in CHANGES:
            for headers in refused:
                answer = await client.request(method, path, json=BODY, headers=headers)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "Authorization: Bearer" in problem(answer, 401)["detail"]
                assert (await client.get("/v1/keys/k")).json()["buckets"] == []
            answer = await client.request(method, path, json=BODY, headers=bearer(secret))
            assert answer.status_code == 200
            await client.delete("/v1/keys/k", headers=bearer(secret))


async def test_any_of_several_secrets_will_do(tmp_path: Path) -> None:
    """With several secrets each of them lets a call through, as the file has them now."""
    file = tmp_path / "secret"
    file.write_text("one\n")
    secrets = SecretFile(str(file))
    async with cluster("n1", secret_file=secrets) as (node,), http(node) as client:
        for text in ("one", "one\ntwo", "two\none\nthree", "three"):
            file.write_text(text)
            for word in ("one", "two", "three", "twoone", "two one", "x"):
                answer = await client.delete("/v1/keys/k", headers=bearer(word.encode()))
                assert answer.status_code == (200 if word in text.split() else 401)


async def test_a_token_of_its_own_takes_the_place_of_the_secret() -> None:
    """Where HTTP has a token, neither the secret of apps nor that of nodes opens anything there."""
    options = {"secret": b"apps", "node_secret": b"nodes", "http_token": b"http\nolder"}
    async with cluster("n1", **options) as (node,), http(node) as client:
        for word, status in (("http", 200), ("older", 200), ("apps", 401), ("nodes", 401)):
            answer = await client.delete("/v1/keys/k", headers=bearer(word.encode()))
            assert answer.status_code == status, word


def bearer(secret: bytes) -> dict[bytes, bytes]:
    return {b"Authorization": b"Bearer " + secret}


async def test_without_a_secret_changes_are_for_this_machine() -> None:
    """An address that others can reach serves no changes without a secret, unless insecure."""
    for insecure, status in ((False, 403), (True, 200)):
        async with cluster("n1", http=ANYWHERE, insecure=insecure) as (node,), http(node) as client:
            for method, path in CHANGES:
                answer = await client.request(method, path, json=BODY)
                assert answer.status_code == status
                if status == 403:
                    assert "no secret is set" in problem(answer, 403)["detail"]
            assert (await client.get("/v1/nodes")).status_code == 200


# --- errors of all kinds


async def test_what_is_not_there_is_a_problem(client: httpx2.AsyncClient) -> None:
    """Unknown paths and methods get problems, with the methods that there are."""
    for path in ("/page", "/nothing", "/v1/key", "/v1/check/"):
        assert "/docs" in problem(await client.get(path), 404)["detail"]
    answer = await client.put("/v1/check", json=BODY)
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"


async def test_a_fault_of_ours_is_a_problem() -> None:
    """An error that nobody expected is a 500 that tells nothing of the inside."""

    async def fail() -> None:
        raise RuntimeError("the inside")

    async with cluster("n1") as (node,):
        app = create_app(node, node.http, node.http_server.scrape)
        app.add_api_route("/fail", fail)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = problem(await client.get("/fail"), 500)
    assert "the inside" not in str(answer)
