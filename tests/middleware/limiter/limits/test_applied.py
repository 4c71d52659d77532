"""Which limits a route has, and what their buckets are called."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import text

from sidegate.http.keys import client_ip
from sidegate.http.rules import MAX_NAME, require_name
from sidegate.limiter.limits.applied import (
    RouteName,
    applied,
    counted_as,
    fit_name,
    limits_at,
    route_of,
)
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.marks import Mark, handler_of, marks_of_handler, put_mark
from sidegate.limiter.limits.one_set import LimitSets
from sidegate.limiter.limits.route_limit import RouteLimit, route_limit

ROUTE = RouteName("shop.login", "login")
HERE = __name__


def limit(limits: str, **options: Any) -> RouteLimit:
    return route_limit(limits, AppFunction("key", client_ip()), options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def at(*marks: Mark, method: str = "GET", defaults: tuple[RouteLimit, ...] = ()) -> list[str]:
    """Return which limits apply to a route, by their buckets."""
    found = limits_at(ROUTE, method, marks, defaults, LimitSets())
    return [f"{one.bucket}: {one.limit.limits}" for one in found]


def mark(limits: str, *, is_dependency: bool = False, **options: Any) -> Mark:
    return Mark(None, limit(limits, **options), is_dependency)


# --- names


class Shop:
    """Has views."""

    def open(self) -> None: ...

    @staticmethod
    def closed() -> None: ...


def made() -> Any:
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    ("endpoint", "key", "name"),
    [
        (made, f"{HERE}.made", "made"),
        (Shop, f"{HERE}.Shop", "Shop"),
        (Shop.open, f"{HERE}.Shop.open", "open"),
        (Shop.closed, f"{HERE}.Shop.closed", "closed"),
        (partial(made), f"{HERE}.made /x", "made"),
        (partial(partial(made)), f"{HERE}.made /x", "made"),
        (made(), f"{HERE}.made.<locals>.inner /x", "inner"),
        (Shop().open, f"{HERE}.Shop.open /x", "open"),
        (Shop(), f"{HERE}.Shop /x", "Shop"),
        (None, "builtins.NoneType /x", "NoneType"),
    ],
)
def test_a_route_is_called_as_its_endpoint(endpoint: Any, key: str, name: str) -> None:
    """With its path, where one name may be that of several."""
    assert route_of(endpoint, "/x") == RouteName(fit_name(key), name)


def test_without_a_path_a_name_is_enough() -> None:
    assert route_of(made()).key == f"{HERE}.made.<locals>.inner"


@given(text())
def test_any_text_fits_a_name_and_texts_stay_apart(name: str) -> None:
    fit = fit_name(name)
    assert require_name("name", fit) == fit
    assert (fit == name) is (0 < len(name) <= MAX_NAME and fit_name(fit) == name)
    assert fit != fit_name(f"{name}x")


@pytest.mark.parametrize(
    ("method", "plain"),
    [
        *[("GET", "GET"), ("HEAD", "GET"), ("PATCH", "PATCH"), ("QUERY", "OTHER"), ("", "OTHER")],
        *[("get", "OTHER"), ("X" * 10_000, "OTHER")],
    ],
)
def test_methods_that_nobody_has_defined_are_one(method: str, plain: str) -> None:
    assert counted_as(method) == plain


# --- which limits


def test_a_route_has_its_own_limits_or_the_defaults() -> None:
    defaults = (limit("9/hour"), limit("8/hour", methods=["POST"]))
    assert at(defaults=defaults) == ["shop.login: 9/hour"]
    assert at(method="POST", defaults=defaults) == ["shop.login: 9/hour", "shop.login: 8/hour"]
    assert at(mark("1/hour"), defaults=defaults) == ["shop.login: 1/hour"]
    both = at(mark("1/hour", override_defaults=False), defaults=defaults)
    assert both == ["shop.login: 1/hour", "shop.login: 9/hour"]


def test_no_method_is_left_without_limits_by_one_for_others() -> None:
    posts, defaults = mark("1/hour", methods=["POST"]), (limit("9/hour"),)
    assert at(posts, method="POST", defaults=defaults) == ["shop.login: 1/hour"]
    assert at(posts, method="GET", defaults=defaults) == ["shop.login: 9/hour"]


def test_a_dependency_overrides_and_checks_itself() -> None:
    depends = mark("1/hour", is_dependency=True)
    assert at(depends, defaults=(limit("9/hour"),)) == []
    assert at(depends, mark("2/hour"), defaults=(limit("9/hour"),)) == ["shop.login: 2/hour"]


def test_a_scope_is_the_bucket_and_a_method_is_added_where_each_counts() -> None:
    assert at(mark("1/hour", scope="db")) == ["db: 1/hour"]
    assert at(mark("1/hour", scope="db", per_method=True)) == ["db GET: 1/hour"]
    assert at(mark("1/hour", per_method=True), method="HEAD") == ["shop.login GET: 1/hour"]
    assert at(mark("1/hour", per_method=True), method="QUERY") == ["shop.login OTHER: 1/hour"]


def test_a_scope_of_a_function_keeps_apart_what_is_counted_apart() -> None:
    one = applied(limit("1/hour", scope=lambda: "db", per_method=True), ROUTE, "GET")
    assert (one.of("db").bucket, one.of("db").name) == ("db GET", "db GET")
    message = applied(limit("1/hour", scope=lambda: "db"), ROUTE, "GET", " message")
    assert message.of("db").bucket == "db message"
    long = message.of("x" * 1_000)
    assert len(long.bucket) <= MAX_NAME
    assert long.bucket != message.of("x" * 999).bucket


def test_methods_of_a_class_have_buckets_of_their_own() -> None:
    """Unless others share them."""
    route = route_of(Shop)
    for one, bucket in ((mark("1/hour"), f"{HERE}.Shop POST"), (mark("1/hour", scope="s"), "s")):
        handler = put_mark(lambda: None, one)
        (found,) = limits_at(route, "POST", marks_of_handler(handler, one.limiter), (), LimitSets())
        assert found.bucket == fit_name(bucket)


def test_what_answers_get_answers_head_where_nothing_else_does() -> None:
    class Views:
        def get(self) -> None: ...

    class Both(Views):
        def head(self) -> None: ...

    assert handler_of(Views, "HEAD") is Views.get
    assert handler_of(Both, "HEAD") is Both.head
    assert handler_of(Views, "POST") is None
