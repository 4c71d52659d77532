"""Checks over HTTP are answered by the front as the app behind it would answer them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.messages import Answers, Checks
from sidegate_sidecar.fronts.http.app.api import create_app
from sidegate_sidecar.fronts.http.app.models import CheckRequest, CheckResponse
from sidegate_sidecar.fronts.http.checks import CheckAnswered, CheckAsked, HttpChecks
from sidegate_sidecar.fronts.http.connection import HttpConnection
from sidegate_sidecar.node.node import Node
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import cluster, eventually
from tests.support.in_process.http_client import http

NOTHING: Any = None


def test_both_have_the_fields_that_are_documented() -> None:
    """In one order."""
    assert CheckAsked.__struct_fields__ == tuple(CheckRequest.model_fields)
    assert CheckAnswered.__struct_fields__ == tuple(CheckResponse.model_fields)
    assert CheckAsked("k", "5/s").cost == CheckRequest.model_fields["cost"].default


@pytest.mark.parametrize(
    "body",
    [
        {"key": "k", "limits": "7/hour; 9 per day", "cost": 0},
        {"key": "spent", "limits": "7/hour", "cost": 0},
        {"key": "spent", "limits": "7/hour", "cost": 7},
        {"key": "ключ-😀\x00", "limits": "7/hour | 20/day burst 8", "cost": 0},
        {"key": "", "limits": "0/minute"},
        {"key": "k" * 512, "limits": "7 / 3 minutes", "cost": 0},
        {"key": "k", "limits": "7/year window; 9/second", "cost": 0},
        {"key": "spent", "limits": "7/hour; 3/year window Asia/Tokyo keep 20%", "cost": 2},
        {"key": "k", "limits": "0/day window"},
    ],
)
async def test_the_app_would_say_the_same(body: dict[str, Any]) -> None:
    async with cluster("n1") as (node,), http(node) as client:
        spent = {"key": "spent", "limits": "7/hour", "cost": 7}
        assert (await client.post("/v1/check", json=spent)).json()["allowed"]
        transport = httpx2.ASGITransport(create_app(node, node.http, node.http_server.scrape))
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as app:
            said, expected = [await it.post("/v1/check", json=body) for it in (client, app)]
    assert (said.status_code, expected.status_code) == (200, 200)
    for header in ("content-type", "cache-control"):
        assert said.headers.get(header) == expected.headers.get(header)
    mine, theirs = said.json(), expected.json()
    assert list(mine) == list(theirs)
    for times in ("reset_after", "retry_after"):  # both are later by now
        assert mine.pop(times) == pytest.approx(theirs.pop(times), abs=20)
    assert mine == theirs


class Deciding:
    """A node that is asked, and says nothing."""

    budget = 1.0

    def __init__(self) -> None:
        self.asked = 0

    def decide(self, frame: object, send: object) -> None:
        """Count it."""
        del frame, send
        self.asked += 1


def is_taken(body: bytes) -> bool:
    node: Any = Deciding()
    asked: Node = node
    taken = HttpChecks(asked, lambda: None).ask(body, NOTHING)
    assert node.asked == taken
    return taken


def is_valid(body: bytes) -> bool:
    try:
        CheckRequest.model_validate(json.loads(body))
    except ValueError:  # pydantic's are, too
        return False
    return True


def body_of(key: str, cost: int) -> bytes:
    return json.dumps({"key": key, "limits": "5/s", "cost": cost}).encode()


async def test_a_fault_of_one_connection_ends_that_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the link that has brought its answer."""

    def fail(*_: object) -> None:
        raise RuntimeError("the inside")

    body = {"limits": "5/hour"}
    async with ring_with_puppet() as (one, owner, client, key):
        asking = asyncio.create_task(client.post("/v1/check", json={"key": key, **body}))
        asked = await owner.hear(Checks)
        with monkeypatch.context() as patched:
            patched.setattr(HttpConnection, "reply", fail)
            await owner.say(Answers(asked.id, "owner", "puppet", None, [[1, 5]]))
            await eventually(lambda: not one.http_server.open)
            with pytest.raises(httpx2.TransportError):
                await asking
        assert "the inside" in caplog.text
        assert one.peers.is_up("puppet")
        asking = asyncio.create_task(client.post("/v1/check", json={"key": key, **body}))
        asked = await owner.hear(Checks)
        await owner.say(Answers(asked.id, "owner", "puppet", None, [[1, 5]]))
        assert (await asking).json()["allowed"]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 12), st.floats(), st.text(max_size=3), st.just("5/s")
)
BODIES = st.dictionaries(st.sampled_from(["key", "limits", "cost", "x"]), VALUES)


@given(
    BODIES.map(json.dumps).map(str.encode)
    | st.builds(
        body_of, st.text(st.characters(exclude_categories=()), max_size=600), st.integers(-1, 6)
    )
    | st.binary(max_size=40)
)
def test_what_the_app_would_refuse_is_left_to_it(body: bytes) -> None:
    """And what the front takes the app would take."""
    assert not is_taken(body) or is_valid(body)


def test_a_plain_check_is_taken() -> None:
    """Else all of the above would hold of a front that takes none."""
    assert is_taken(b'{"key": "k", "limits": "5/s"}')


# --- by the name of a rule

RULES = """
version: 1
rules:
  - {name: login, match: {path: /login}, limits: 5/hour, cost: 2}
  - {name: tried, limits: 0/hour, mode: shadow}
"""


async def test_a_rule_of_the_file_says_limits_cost_and_mode(tmp_path: Path) -> None:
    """Its bucket is NAME:KEY; and what is wrong is said by the app behind the front."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    async with cluster("n1", rules=str(file)) as (node,), http(node) as client:

        async def ask(name: str, cost: int = 1) -> httpx2.Response:
            return await client.post("/v1/check", json={"key": "ann", "limits": name, "cost": cost})

        first = (await ask("@login")).json()
        assert (first["allowed"], first["limits"], first["remaining"]) == (True, "5/hour", 3)
        assert (await ask("@login")).json()["remaining"] == 1
        assert not (await ask("@login")).json()["allowed"]
        held = (await client.get("/v1/keys/login:ann")).json()
        assert [it["limit"] for it in held["buckets"]] == ["5/hour"]
        assert (await ask("@tried")).json()["allowed"]
        for response, said in (
            (await ask("@logout"), 'rule "logout": expected one of the sidecar\'s rules'),
            (await ask("@login", 3), "cost 6"),
        ):
            assert response.status_code == 422
            assert said in response.json()["detail"]


async def test_without_a_file_there_are_no_rules() -> None:
    async with cluster("n1") as (node,), http(node) as client:
        said = await client.post("/v1/check", json={"key": "ann", "limits": "@login"})
    assert said.status_code == 422
    assert "of which none are known here" in said.json()["detail"]
