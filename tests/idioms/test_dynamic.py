"""Limits that depend on something, and unusual ones."""

import time

import pytest

from tests.idioms.rows import shows
from tests.support.apps.clients import current, policy, statuses
from tests.support.processes.caller import Caller


@shows("limit by plan")
@pytest.mark.parametrize(("plan", "passed"), [("free", 1), ("pro", 3), ("unlimited", 5)])
def test_a_function_says_the_limit(fastapi: Caller, plan: str, passed: int) -> None:
    """None from it is no limit."""
    assert fastapi.passed("/dynamic/plan", 5, headers={"x-plan": plan}) == passed


@shows("cost")
def test_a_request_costs_more_than_one(fastapi: Caller) -> None:
    assert fastapi.passed("/dynamic/cost", 3) == 2


@shows("cost")
def test_a_function_says_the_cost(fastapi: Caller) -> None:
    asked = [fastapi.ask("/dynamic/pages", params={"pages": pages}) for pages in (6, 5, 4, 1)]
    assert statuses(asked) == [200, 429, 200, 429]


@shows("charged by the response")
def test_only_failures_are_charged(fastapi: Caller) -> None:
    """What isn't wanted is given back, so no request slips through meanwhile."""
    asked = [200, 200, 404, 200, 404, 200]
    answers = [fastapi.ask("/dynamic/failures", params={"status": status}) for status in asked]
    assert statuses(answers) == [200, 200, 404, 200, 404, 429]


@shows("0/minute, None, 100/300")
def test_no_request_passes_a_limit_of_0(fastapi: Caller) -> None:
    assert fastapi.passed("/dynamic/blocked", 3) == 0


@shows("0/minute, None, 100/300")
def test_a_period_of_seconds(fastapi: Caller) -> None:
    answer = fastapi.ask("/dynamic/seconds")
    assert policy(answer) == {"seconds": {"q": 2, "w": 86_400}}
    assert fastapi.passed("/dynamic/seconds", 2) == 1


@shows("fixed, moving and sliding windows")
def test_a_bucket_has_no_window(fastapi: Caller) -> None:
    """Half a day after two of 2/day one more passes, where a window would be a day long."""
    assert fastapi.passed("/dynamic/bucket", 2) == 2
    refused = fastapi.ask("/dynamic/bucket")
    assert 43_000 < current(refused)["bucket"]["t"] <= 43_200


@shows("fixed, moving and sliding windows")
def test_a_quota_has_one(fastapi: Caller) -> None:
    """Two of 2/day, and none before midnight."""
    midnight = 86_400 - time.time() % 86_400
    assert fastapi.passed("/dynamic/quota", 3) == 2
    refused = fastapi.ask("/dynamic/quota")
    assert current(refused)["quota"]["t"] == pytest.approx(midnight, abs=60)


@shows("limits from a file")
def test_options_and_limits_come_from_a_file(fastapi: Caller) -> None:
    """Each option is a plain value there; a limit of a route is a function that looks it up."""
    answer = fastapi.ask("/configured/reports")
    assert answer.headers["x-ratelimit-limit"] == "2"
    assert fastapi.passed("/configured/reports", 2) == 1
    assert fastapi.statuses("/configured/nowhere", 5) == [404] * 4 + [429]
