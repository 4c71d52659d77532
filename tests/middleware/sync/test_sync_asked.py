"""`sync`, wherever it may be said, is asked of the sidecar."""

import asyncio
from typing import Any

import pytest

from sidegate import BlockingClient, Limiter, Rule, client_ip
from sidegate.buckets.limits import SYNC, parse_limits
from sidegate.limiter.limits.applied import RouteName, applied
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.route_limit import route_limit
from sidegate.ruleset.ruleset import read_rules
from sidegate.testing import isolated
from tests.middleware.client.puppet_client import pair, say
from tests.support.in_process.cluster import client, cluster

LIMIT = "5/day"


async def test_a_check_with_it_asks_by_limits_with_it() -> None:
    async with pair() as (asking, other):
        texts: list[Any] = [LIMIT, parse_limits(LIMIT), parse_limits(LIMIT).synced()]
        futures = [asking.check("k", limits, sync=True) for limits in texts]
        futures.append(asking.check("k", LIMIT))
        frame = await say(other, *([1, 10],) * 4)
        assert [text for _, text, _ in frame.checks] == [SYNC + LIMIT] * 3 + [LIMIT]
        assert {it.remaining for it in await asyncio.gather(*futures)} == {4}


async def test_a_denial_with_it_is_remembered_and_an_answer_given_back() -> None:
    async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
        made = await asking.check("k", LIMIT, 5, sync=True)
        assert (await asking.check("k", LIMIT, 1, sync=True)).source == "owner"
        assert (await asking.check("k", LIMIT, 1)).source == "remembered"
        asking.refund("k", made)
        assert (await asking.check("k", LIMIT, 5, sync=True)).allowed


def test_threads_ask_by_it_too() -> None:
    """In the process itself there is nobody else to tell."""
    with isolated(), BlockingClient("memory") as asking:
        assert asking.check("k", LIMIT, 5, sync=True).allowed
        assert not asking.check("k", LIMIT, sync=True).allowed


async def test_a_rule_by_its_name_says_it_itself() -> None:
    complaint = "sync=True for limits='@api': belongs to the rule"
    async with client("memory") as asking:
        with pytest.raises(ValueError, match=complaint):
            await asking.check("k", "@api", sync=True)
    with BlockingClient("memory") as blocking, pytest.raises(ValueError, match=complaint):
        blocking.check("k", "@api", sync=True)


def test_a_rule_with_it_asks_by_such_limits() -> None:
    assert not Rule("api", LIMIT).limits.sync
    rule = Rule("api", LIMIT, sync=True)
    assert rule.limits.sync
    assert rule.stand_apart().limits.sync
    with pytest.raises(ValueError, match="sync='yes': expected True or False"):
        Rule("api", LIMIT, sync="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_rule_of_a_file_says_it_in_the_file() -> None:
    entry = {"name": "api", "limits": LIMIT, "sync": True}
    plain = {"name": "api", "limits": LIMIT, "sync": False}
    with_it, without = (read_rules({"version": 1, "rules": [it]}) for it in (entry, plain))
    assert with_it.by_name["api"].question_of("k").rule.limits.sync
    assert not without.by_name["api"].question_of("k").rule.limits.sync
    assert with_it.digest != without.digest


@pytest.mark.parametrize("sync", [False, True])
def test_a_limit_of_a_route_with_it_asks_by_such_limits(sync: bool) -> None:
    """Whether its limits are given as they are or by a function."""
    key = AppFunction("key", client_ip())
    for limits in (LIMIT, lambda: LIMIT):
        limit = route_limit(limits, key, {"sync": sync})
        at = applied(limit, RouteName("m.view", "view"), "GET")
        assert at.rule(parse_limits(LIMIT), "").limits.sync is sync


def test_a_limit_says_what_sync_may_be() -> None:
    with pytest.raises(ValueError, match="sync='no': expected True or False"):
        Limiter("1/s").limit("1/s", sync="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
