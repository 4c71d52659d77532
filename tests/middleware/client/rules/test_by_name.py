"""Checks by the name of a rule, in loops and in threads."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest

from sidegate import BlockingClient, Client, Decision, RuleNotInForce, UnknownRule
from sidegate.buckets.decision import Source
from sidegate.errors import CostError
from sidegate.ruleset.ruleset import RuleSet, read_rules
from tests.middleware.ruleset.asked import asgi
from tests.support.in_process.cluster import GENEROUS, cluster, eventually
from tests.support.in_process.rules import rules_of

Check: TypeAlias = Callable[..., Any]
NOWHERE = "127.0.0.1:9"
TOLD: dict[str, Any] = {"secret": "", "budget": GENEROUS}

RULES = read_rules(
    {
        "version": 1,
        "plans": {"free": {"api": "3/hour"}, "pro": {"api": "9/hour"}},
        "tenants": {"id": "header:x-t", "plan": "header:x-p", "default": "free"},
        "rules": [
            {"name": "login", "limits": "2/hour", "match": {"path": "/login"}},
            {"name": "shadow", "limits": "1/hour", "mode": "shadow", "match": {"path": "/s"}},
            {"name": "half", "limits": "1/hour", "mode": "50 %", "match": {"path": "/h"}},
            {"name": "dear", "limits": "10/hour", "cost": 3, "match": {"path": "/d"}},
            {"name": "plan", "limits": "plan:api", "match": {"path": "/p"}},
        ],
    }
)


@asynccontextmanager
async def in_a_loop(sidecar: object, **options: Any) -> AsyncGenerator[tuple[Any, Check]]:
    """Make a client, and what checks by it."""

    async def check(*asked: Any, **more: Any) -> Decision:
        return await client.check(*asked, **more)

    async with Client(str(sidecar), **{**TOLD, **options}) as client:
        yield client, check


@asynccontextmanager
async def in_threads(sidecar: object, **options: Any) -> AsyncGenerator[tuple[Any, Check]]:
    """Make a client, and what checks by it."""

    async def check(*asked: Any, **more: Any) -> Decision:
        return await asyncio.to_thread(client.check, *asked, **more)

    client = BlockingClient(str(sidecar), **{**TOLD, **options})
    try:
        yield client, check
    finally:
        await asyncio.to_thread(client.close)


either = pytest.mark.parametrize("asking", [in_a_loop, in_threads])


@asynccontextmanager
async def ruled(
    asking: Callable[..., Any], rules: RuleSet = RULES, **options: Any
) -> AsyncGenerator[tuple[Any, Check]]:
    """Make a client beside a sidecar with rules."""
    async with cluster("n1") as (node,), asking(node.link, **options) as both:
        node.sessions.rules.put(rules)
        yield both


@either
async def test_the_first_check_waits_for_the_rules_and_has_the_limits_of_its_rule(
    asking: Callable[..., Any],
) -> None:
    async with ruled(asking) as (_, check):
        made = [await check("k", "@login") for _ in range(3)]
        assert [it.allowed for it in made] == [True, True, False]
        assert {it.limits.text for it in made} == {"2/hour"}


@either
async def test_its_bucket_is_that_of_the_rule_for_a_request(asking: Callable[..., Any]) -> None:
    (request,) = RULES.questions(asgi("/login", peer="192.0.2.9"), 0.0)
    async with ruled(asking) as (_, check):
        assert (await check(request.key, request.rule.limits)).remaining == 1
        assert (await check("192.0.2.9", "@login")).remaining == 0


@either
async def test_a_cost_is_so_many_times_that_of_the_rule(asking: Callable[..., Any]) -> None:
    async with ruled(asking) as (_, check):
        assert (await check("k", "@dear")).remaining == 7
        assert (await check("k", "@dear", 2)).remaining == 1
        assert (await check("k", "@dear", 0)).remaining == 1
        with pytest.raises(CostError):
            await check("k", "@dear", 4)


@either
async def test_a_rule_in_shadow_counts_and_denies_nobody(asking: Callable[..., Any]) -> None:
    async with ruled(asking) as (client, check):
        made = [await check("k", "@shadow") for _ in range(3)]
        assert [it.allowed for it in made] == [True] * 3
        assert [it.remaining for it in made] == [0] * 3
        assert (await check("shadow:k", "1/hour")).allowed is False
        assert client.rules().by_name["shadow"].share == 0


@either
async def test_of_a_share_the_same_keys_are_denied_as_for_requests(
    asking: Callable[..., Any],
) -> None:
    async with ruled(asking) as (_, check):
        made = {key: [(await check(key, "@half")).allowed for _ in range(2)] for key in "abcdefgh"}
    enforced = {key for key in made if not RULES.by_name["half"].question_of(key).rule.shadow}
    assert enforced
    assert {key for key, (_, second) in made.items() if not second} == enforced


@either
async def test_limits_of_a_plan_are_those_of_who_has_no_other(asking: Callable[..., Any]) -> None:
    async with ruled(asking) as (_, check):
        assert (await check("k", "@plan")).limits.text == "3/hour"


@either
async def test_a_change_of_the_file_holds_from_then_on(asking: Callable[..., Any]) -> None:
    async with cluster("n1") as (node,), asking(node.link) as (client, check):
        node.sessions.rules.put(rules_of("5/hour"))
        assert (await check("k", "@login")).limits.text == "5/hour"
        node.sessions.rules.put(changed := rules_of("7/hour"))
        await eventually(lambda: client.rules() == changed)
        assert (await check("k", "@login")).limits.text == "7/hour"


@either
async def test_a_name_that_no_rule_has_is_an_error_that_says_which_there_are(
    asking: Callable[..., Any],
) -> None:
    async with ruled(asking) as (_, check):
        with pytest.raises(RuleNotInForce) as caught:
            await check("k", "@logn")
    assert str(caught.value) == (
        'rule "logn": expected one of the sidecar\'s rules, which are "login", "shadow", "half",'
        ' "dear", "plan"'
    )
    assert isinstance(caught.value, UnknownRule)
    assert (caught.value.rule, caught.value.known[0]) == ("logn", "login")


@either
@pytest.mark.parametrize("default", ["4/hour", ["4/hour"]])
async def test_or_its_default_under_the_same_name(asking: Callable[..., Any], default: Any) -> None:
    async with ruled(asking) as (_, check):
        assert (await check("k", "@logn", default=default)).remaining == 3
        assert (await check("logn:k", "4/hour")).remaining == 2
        assert (await check("k", "@login", default=default)).limits.text == "2/hour"


@either
async def test_without_a_sidecar_there_are_no_rules(asking: Callable[..., Any]) -> None:
    async with asking("memory") as (_, check):
        began = time.monotonic()
        with pytest.raises(RuleNotInForce, match="of which none are known here"):
            await check("k", "@login")
        assert (await check("k", "@login", default="4/hour")).source is Source.MEMORY
        assert time.monotonic() - began < GENEROUS


@either
async def test_where_the_sidecar_is_away_only_the_first_waits_and_for_its_budget(
    asking: Callable[..., Any],
) -> None:
    async with asking(NOWHERE, budget=0.3) as (client, check):
        with pytest.raises(RuleNotInForce, match="of which none are known here"):
            await check("k", "@login")
        assert not client.watch_rules().is_awaited
        assert (await check("k", "@login", default="4/hour")).source is Source.OPEN


@either
@pytest.mark.parametrize(
    ("asked", "more", "error", "why"),
    [
        (("k", "5/hour"), {"default": "4/hour"}, ValueError, "default='4/hour': belongs to"),
        (("k", "@nothing"), {"default": "4/hou"}, ValueError, "default='4/hou'"),
        (("k" * 600, "@login"), {}, ValueError, "key of 600 bytes"),
        ((5, "@login"), {}, TypeError, "key=5: expected a text"),
        (("k", "@login", 0.5), {}, TypeError, "cost=0.5"),
        (("k", "@login", -1), {}, CostError, "cost -1"),
    ],
)
async def test_what_cannot_be_asked_raises(
    asking: Callable[..., Any], asked: Any, more: Any, error: type[Exception], why: str
) -> None:
    async with ruled(asking) as (_, check):
        with pytest.raises(error, match=why):
            await check(*asked, **more)


@either
async def test_it_has_one_span_like_any_check(asking: Callable[..., Any]) -> None:
    async with ruled(asking, otel=True) as (_, check):
        assert (await check("k", "@login")).remaining == 1
        assert (await check("k", "@shadow")).allowed
