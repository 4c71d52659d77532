"""Which limits carry: those that are all that their keys have, whatever is asked."""

from typing import Any

import pytest

from sidegate.http.keys import header
from sidegate.limiter.limits.applied import RouteName, limits_at, nearest
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.marks import Mark
from sidegate.limiter.limits.one_set import Scopes
from sidegate.limiter.limits.route_limit import RouteLimit, route_limit

ROUTE = RouteName("shop.login", "login")
KEY = AppFunction("key", header("x-user"))
OTHER_KEY = header("x-team")


def limit(limits: Any, **options: Any) -> RouteLimit:
    return route_limit(limits, KEY, options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def mark(limits: Any, *, is_dependency: bool = False, **options: Any) -> Mark:
    return Mark(None, limit(limits, **options), is_dependency)


def carrying(
    *marks: Mark, defaults: tuple[RouteLimit, ...] = (), method: str = "POST"
) -> list[bool]:
    """Tell of each limit at a route whether it carries."""
    scopes = Scopes()
    for one in marks:
        if one.limit:
            scopes.add(one.limit)
    found = limits_at(ROUTE, method, marks, defaults, scopes)
    rules = [one.rule(one.limit.limits, "") for one in found if not callable(one.limit.limits)]
    assert [rule.limits.carries for rule in rules] == [
        one.carries for one in found if not callable(one.limit.limits)
    ]
    return [one.carries for one in found]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([mark("5/minute")], [True]),
        ([mark("5/minute", methods=["POST"])], [True]),  # others have none
        ([mark("5/minute", per_method=True)], [True]),
        ([mark("5/minute"), mark("9/hour")], [True, True]),
        ([mark("5/minute", scope="s"), mark("9/hour")], [True, True]),
        ([mark("5/minute", exempt_when=lambda: False)], [True]),
        ([mark("5/minute", cost=lambda: 1)], [True]),
    ],
)
def test_a_set_that_is_always_the_same_carries(marks: list[Mark], expected: list[bool]) -> None:
    assert carrying(*marks) == expected


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([mark(lambda: "5/minute")], [False]),  # the app decides, for each request
        ([mark("5/minute", methods=["POST"]), mark("9/hour")], [False, False]),
        ([mark("5/minute", cost=2), mark("9/hour")], [False, False]),  # two checks
        ([mark("5/minute", key=OTHER_KEY), mark("9/hour")], [False, False]),
        ([mark("5/minute", exempt_when=lambda: False), mark("9/hour")], [False, False]),
        ([mark("5/minute", per_method=True), mark("9/hour")], [False, False]),
        ([mark("5/minute"), mark("9/hour", is_dependency=True)], [False]),
        ([mark("@login", default="5/minute"), mark("9/hour")], [False, False]),
        ([mark("5/minute", scope="s"), mark("9/hour", scope="s")], [False, False]),
        ([mark("5/minute", scope=lambda: "s")], [False]),
    ],
)
def test_a_set_that_depends_on_the_request_does_not(
    marks: list[Mark], expected: list[bool]
) -> None:
    """Else a client would have one limit's spending told as another's, at its will."""
    assert carrying(*marks) == expected


def test_defaults_carry_where_they_are_all_that_a_route_has() -> None:
    defaults = (limit("100/hour"),)
    assert carrying(defaults=defaults) == [True]
    assert carrying(mark("5/minute"), defaults=defaults) == [True]  # it stands in for them
    assert carrying(mark("5/minute", override_defaults=False), defaults=defaults) == [True, True]
    only_post = mark("5/minute", methods=["POST"])
    assert carrying(only_post, defaults=defaults, method="POST") == [False]
    assert carrying(only_post, defaults=defaults, method="GET") == [False]


def test_the_limits_of_blueprints_dont_where_methods_tell_between_them() -> None:
    view, blueprint = mark("5/minute", methods=["POST"]), mark("9/hour")
    for method in ("POST", "GET"):
        (found,) = nearest([[view], [blueprint]], method)
        assert carrying(found, method=method) == [False]
    (found,) = nearest([[], [blueprint]], "GET")
    assert carrying(found) == [True]
    (found,) = nearest([[mark("5/minute")], [blueprint]], "GET")
    assert carrying(found) == [True]
