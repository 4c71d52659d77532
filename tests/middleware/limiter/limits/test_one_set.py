"""Which limits carry: those that are all that their keys have, whatever is asked."""

from typing import Any

import pytest

from sidegate.http.keys import header
from sidegate.http.rules import Rule
from sidegate.limiter.checks.planning import carrying as rules_that_carry
from sidegate.limiter.limits import one_set
from sidegate.limiter.limits.applied import RouteName, limits_at, nearest
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.marks import Mark
from sidegate.limiter.limits.one_set import LimitSets
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
    sets = LimitSets()
    for one in marks:
        if one.limit:
            sets.add(one.limit)
    found = limits_at(ROUTE, method, marks, defaults, sets)
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


# --- what is seen only as requests come


def test_a_dependency_beside_defaults_asks_by_itself() -> None:
    defaults = (limit("100/hour"),)
    beside = mark("5/minute", is_dependency=True, override_defaults=False)
    assert carrying(beside, defaults=defaults) == [False]


def test_a_view_with_other_limits_elsewhere_does_not() -> None:
    """As in two routers with dependencies of their own: whoever asks by one has spent the other's.

    Nor does what was asked before the second was seen.
    """
    sets, first, second = LimitSets(), [mark("5/second"), mark("9/minute")], [mark("100/day")]
    found = limits_at(ROUTE, "GET", first, (), sets)
    rules = rules_that_carry(found, "")
    sets.made(ROUTE.key, rules)
    assert [rule.limits.text for rule in rules] == ["5/second", "9/minute", "5/second; 9/minute"]
    assert all(rule.limits.carries for rule in rules)
    assert [it.carries for it in limits_at(ROUTE, "GET", second, (), sets)] == [False]
    assert not any(rule.limits.carries for rule in rules)
    for marks in (first, second):
        assert not any(it.carries for it in limits_at(ROUTE, "GET", marks, (), sets))
    elsewhere = RouteName("shop.logout", "logout")
    assert all(it.carries for it in limits_at(elsewhere, "GET", first, (), sets))


def test_a_method_that_counts_for_itself_is_no_other_set() -> None:
    sets, view = LimitSets(), mark("5/minute")
    for marks in ([view], [view, mark("9/minute", per_method=True)], [mark("7/day", scope="s")]):
        limits_at(ROUTE, "GET", marks, (), sets)
    assert [it.carries for it in limits_at(ROUTE, "POST", [view], (), sets)] == [True]


def test_only_so_many_routes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_set, "MAX_ROUTES", 1)
    sets, marks = LimitSets(), [mark("5/minute")]
    found = [limits_at(RouteName(it, it), "GET", marks, (), sets)[0] for it in ("a", "b", "a")]
    assert [it.carries for it in found] == [True, False, True]


def test_a_scope_with_the_name_of_a_rule_stands_beside_it() -> None:
    rule, shared = Rule("api", "5/second", path="/api/*"), mark("100/day", scope="api")
    sets = LimitSets([rule])
    assert shared.limit
    sets.add(shared.limit)
    assert [it.carries for it in limits_at(ROUTE, "GET", [shared], (), sets)] == [False]
    assert not rule.limits.carries
