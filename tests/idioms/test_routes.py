"""Limits of routes, as slowapi, Flask-Limiter and fastapi-limiter have them."""

import pytest

from tests.idioms.rows import shows
from tests.support.apps.clients import assert_is_refusal, policy
from tests.support.processes.caller import Caller


@shows("decorator of a route")
def test_a_decorator_limits_a_route_whatever_its_path_says(fastapi: Caller) -> None:
    answers = [fastapi.ask(f"/routes/decorated/{number}") for number in range(3)]
    assert [it.status_code for it in answers] == [200, 200, 429]
    assert_is_refusal(answers[2], violated=["decorated"], longest_wait=43_200)


@shows("decorator of a route")
def test_it_may_stand_above_the_decorator_of_the_framework(fastapi: Caller) -> None:
    assert fastapi.passed("/routes/decorated-above", 4) == 2


@shows("dependency of a route")
def test_a_dependency_limits_a_route(fastapi: Caller) -> None:
    assert fastapi.passed("/routes/depends", 4) == 2


@shows("default limits, of each route")
def test_default_limits_count_each_route_for_itself(fastapi: Caller) -> None:
    """By whichever path: it is the function that counts."""
    assert fastapi.passed("/routes/one", 3) == 3
    assert fastapi.passed("/routes/uno", 2) == 1
    assert fastapi.passed("/routes/two", 5) == 4


@shows("limit of the whole application")
def test_one_bucket_for_all_routes(fastapi: Caller) -> None:
    """Also for what isn't found."""
    assert fastapi.passed("/routes/one", 4) == 4
    assert fastapi.passed("/routes/two", 4) == 4
    assert fastapi.statuses("/routes/nowhere", 2) == [404, 429]


@shows("default limits and those of a route")
def test_both_count_where_the_route_says_so(fastapi: Caller) -> None:
    answers = [fastapi.ask("/routes/both") for _ in range(4)]
    assert [it.status_code for it in answers] == [200, 200, 200, 429]
    assert {it["q"] for it in policy(answers[0]).values()} == {3, 4, 9}


@shows("by method")
def test_a_limit_of_one_method(fastapi: Caller) -> None:
    assert fastapi.passed("/routes/posts", 3, "POST") == 2
    assert fastapi.passed("/routes/posts", 5) == 4


@shows("by method")
def test_each_method_counts_for_itself(fastapi: Caller) -> None:
    assert [fastapi.passed("/routes/each", 3, it) for it in ("GET", "POST")] == [2, 2]


@shows("classes of views")
def test_a_class_and_a_method_of_a_class(fastapi: Caller) -> None:
    path = "/routes/classes/inner/things"
    assert [fastapi.passed(path, 3, it) for it in ("GET", "POST")] == [2, 2]


@shows("classes of views", "blueprints, routers, nested apps")
def test_a_method_of_a_class_in_an_app_in_an_app(fastapi: Caller) -> None:
    path = "/routes/classes/inner/others"
    assert [fastapi.passed(path, 5, it) for it in ("GET", "POST")] == [4, 1]


@shows("blueprints, routers, nested apps")
@pytest.mark.parametrize(("router", "passed"), [("of-each", [2, 2]), ("together", [3, 0])])
def test_routers_in_routers(fastapi: Caller, router: str, passed: list[int]) -> None:
    """Of each route, or with a scope of all together."""
    paths = [f"/routes/outer/{router}/{name}" for name in "ab"]
    assert [fastapi.passed(path, 4) for path in paths] == passed
