"""Starlette: what each option of a limit makes of requests."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from functools import partial
from typing import Any

import pytest
from starlette.requests import Request as OwnRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from sidegate import Limiter, Request, bearer, client_ip, header, parse_limits
from sidegate.testing import Memory
from tests.support.apps.limited import client_of, hello, statuses, views

pytestmark = pytest.mark.usefixtures("sidegate")

METHODS = ["GET", "POST", "DELETE"]


def limited(limits: Any, limiter: Limiter | None = None, **options: Any) -> TestClient:
    """Return a client of an app with two routes, each with these limits."""
    limiter, routes = limiter or Limiter(), list[Route]()
    for path, view in zip(("/x", "/y"), views(2), strict=True):
        routes.append(Route(path, limiter.limit(limits, **options)(view), methods=METHODS))
    return client_of(limiter, *routes)


def as_user(name: str) -> dict[str, Any]:
    return {"headers": {"x-user": name}}


def user(request: OwnRequest) -> str | None:
    return request.headers.get("x-user")


async def user_later(request: OwnRequest) -> str | None:
    return request.headers.get("x-user")


def our_user(request: Request) -> str | None:
    return next(iter(request.lines("x-user")), None)


class User:
    """Is a key, though no function."""

    async def __call__(self, request: OwnRequest) -> str | None:
        return user(request)


# --- limits


@pytest.mark.parametrize(
    "limits",
    ["2/minute", ["9/hour", "2/minute"], parse_limits("2/minute"), "2/minute; 9/hour"],
)
@pytest.mark.parametrize("function", [False, True])
def test_limits_are_a_text_a_list_or_a_function(limits: Any, function: bool) -> None:
    client = limited((lambda: limits) if function else limits)
    assert statuses(client, "/x", "/x", "/x", "/y") == [200, 200, 429, 200]


PLANS = {"free": "1/minute", "paid": ["2/minute", "9/hour"], "vip": None}


@pytest.mark.parametrize("later", [False, True])
def test_limits_by_plan_change_with_the_request(later: bool) -> None:
    async def of_plan(request: OwnRequest) -> Any:
        return PLANS[request.headers["x-user"]]

    def of_plan_at_once(request: OwnRequest) -> Any:
        return PLANS[request.headers["x-user"]]

    client = limited(of_plan if later else of_plan_at_once, key=user)
    assert statuses(client, "/x", "/x", **as_user("free")) == [200, 429]
    assert statuses(client, "/x", "/x", "/x", **as_user("paid")) == [200, 200, 429]
    assert statuses(client, *["/x"] * 5, **as_user("vip")) == [200] * 5


@pytest.mark.parametrize("wrong", [7, "5/minuet", [], b"1/s", object(), ["1/s", 7]])
@pytest.mark.parametrize("policy", ["open", "closed"])
def test_limits_that_are_none_are_a_fault_as_of_a_key(
    wrong: Any, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = limited(lambda: wrong, Limiter(on_key_error=policy))
    response = client.get("/x")
    assert response.status_code == (200 if policy == "open" else 503)
    assert "limits=" in caplog.text or "limit" in caplog.text
    assert f"on_key_error={policy}" in caplog.text


def test_the_application_s_limits_may_be_a_function_too() -> None:
    limiter = Limiter(lambda request: "2/minute" if user(request) else None, key=user_later)
    client = client_of(limiter, Route("/x", hello))
    assert statuses(client, "/x", "/x", "/x") == [200] * 3
    assert statuses(client, "/x", "/x", "/nothing", **as_user("a")) == [200, 200, 429]


# --- key


@pytest.mark.parametrize(
    "key", [user, user_later, our_user, User(), header("x-user"), partial(user)]
)
@pytest.mark.parametrize("where", ["limit", "limiter"])
def test_a_key_is_any_function(key: Any, where: str) -> None:
    if where == "limit":
        client = limited("1/minute", key=key)
    else:
        client = limited("1/minute", Limiter(key=key))
    for name in "ab":
        assert statuses(client, "/x", "/x", **as_user(name)) == [200, 429]


def test_who_has_no_key_is_not_limited_by_it(sidegate: Memory) -> None:
    client = limited("1/minute", Limiter("9/minute"), key=user)
    assert statuses(client, "/x", "/x") == [200, 200]
    assert sidegate.keys() == ["default:testclient"]
    client = limited("1/minute", key=bearer(missing=client_ip()))
    assert statuses(client, "/x", "/x") == [200, 429]


@pytest.mark.parametrize("wrong", [lambda: 1 / 0, lambda: 1.5, lambda: b"x", lambda: True])
@pytest.mark.parametrize("option", ["key", "scope", "exempt_when"])
def test_a_function_that_fails_is_never_a_500(
    option: str, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what an `exempt_when` returns is never wrong: it is true, or it isn't."""
    for policy, status in (("open", 200), ("closed", 503)):
        client = limited("1/minute", Limiter(on_key_error=policy), **{option: wrong})
        told = statuses(client, "/x", "/x")
        if option == "exempt_when" and f"on_key_error={policy}" not in caplog.text:
            assert told == [200, 200]
        else:
            assert told == [status] * 2


# --- cost


@pytest.mark.parametrize("later", [False, True])
def test_a_cost_is_a_number_or_a_function(later: bool, sidegate: Memory) -> None:
    def asked(request: OwnRequest) -> Any:
        return int(request.query_params["cost"])

    async def asked_later(request: OwnRequest) -> Any:
        return asked(request)

    client = limited("5/minute", cost=asked_later if later else asked, scope="s")
    assert statuses(client, "/x?cost=3", "/x?cost=3", "/x?cost=2", "/x?cost=0") == [
        200,
        429,
        200,
        200,
    ]
    assert sidegate.spent("s:testclient") == {"5/minute": 5}
    refused = client.get("/x?cost=6")  # which can never pass
    assert (refused.status_code, "retry-after" in refused.headers) == (429, False)
    assert statuses(client, "/x?cost=-1", "/x?cost=x") == [200, 200]  # open, as for a key


def test_a_fixed_cost_is_charged_each_time(sidegate: Memory) -> None:
    client = limited("5/minute", cost=2, scope="s")
    assert statuses(client, "/x", "/y", "/x") == [200, 200, 429]
    assert sidegate.spent("s:testclient") == {"5/minute": 4}


def test_limits_of_different_costs_are_all_charged_or_none(sidegate: Memory) -> None:
    limiter = Limiter("3/minute", cost=1)
    marked = limiter.limit("5/minute", cost=3, scope="s")(views(1)[0])
    client = client_of(limiter, Route("/x", marked))
    assert statuses(client, "/x", "/x") == [200, 429]
    assert sidegate.spent("s:testclient") == {"5/minute": 3}
    assert sidegate.spent("default:testclient") == {"3/minute": 1}


# --- which requests


def test_methods_per_method_and_the_default_ones() -> None:
    limiter = Limiter(default_limits="2/minute", default_limits_per_method=True)
    client = limited("1/minute", limiter, methods=["post"])
    assert statuses(client, "/x", "/x", method="POST") == [200, 429]
    for method in ("GET", "DELETE"):
        assert statuses(client, "/x", "/x", "/x", method=method) == [200, 200, 429]


@pytest.mark.parametrize("later", [False, True])
def test_exempt_when_lets_single_requests_off(later: bool, sidegate: Memory) -> None:
    async def is_owner_later(request: OwnRequest) -> bool:
        return user(request) == "owner"

    def is_owner(request: OwnRequest) -> bool:
        return user(request) == "owner"

    limiter = Limiter("9/minute")
    client = limited("1/minute", limiter, exempt_when=is_owner_later if later else is_owner)
    assert statuses(client, "/x", "/x", **as_user("owner")) == [200, 200]
    assert sidegate.spent("default:testclient") == {"9/minute": 2}
    assert statuses(client, "/x", "/x") == [200, 429]


@pytest.mark.parametrize("later", [False, True])
def test_a_filter_lets_a_request_off_all(later: bool, sidegate: Memory) -> None:
    limiter = Limiter("1/minute", default_limits="1/minute")
    if later:

        @limiter.request_filter
        async def of_owner_later(request: OwnRequest) -> bool:
            return user(request) == "owner"

    else:

        @limiter.request_filter
        def of_owner(request: OwnRequest) -> bool:
            return user(request) == "owner"

    client = client_of(limiter, Route("/x", hello), Mount("/a", PlainTextResponse("plain")))
    assert (
        statuses(client, *["/x", "/a", "/nothing"] * 2, **as_user("owner")) == [200, 200, 404] * 2
    )
    assert sidegate.keys() == []
    assert statuses(client, "/x", "/x") == [200, 429]


def test_a_filter_that_fails_filters_nothing(caplog: pytest.LogCaptureFixture) -> None:
    limiter = Limiter("1/minute")
    limiter.request_filter(lambda: 1 / 0)
    assert statuses(client_of(limiter, Route("/x", hello)), "/x", "/x") == [200, 429]
    assert "request_filter" in caplog.text


def test_exempt_is_no_limit_at_all(sidegate: Memory) -> None:
    limiter = Limiter("1/minute", default_limits="1/minute")
    view = limiter.exempt(limiter.limit("1/minute")(views(1)[0]))
    client = client_of(limiter, Route("/x", view))
    assert statuses(client, "/x", "/x", "/x") == [200] * 3
    assert "ratelimit" not in client.get("/x").headers
    assert sidegate.keys() == []


# --- shared limits


def test_routes_share_a_limit_by_its_scope(sidegate: Memory) -> None:
    limiter = Limiter(service="shop")
    one, two = views(2)
    for view in (one, two):
        limiter.shared_limit("2/minute", "db")(view)
    client = client_of(limiter, Route("/x", one), Route("/y", two))
    assert statuses(client, "/x", "/y", "/x", "/y") == [200, 200, 429, 429]
    assert sidegate.keys() == ["shop/db:testclient"]


@pytest.mark.parametrize("scope", [lambda r: r.path_params["at"], lambda r: f"é:/{r.url.path}"])
def test_a_scope_may_be_a_function(scope: Any) -> None:
    limiter = Limiter()
    view = limiter.shared_limit("1/minute", scope, per_method=True)(views(1)[0])
    client = client_of(limiter, Route("/{at}", view, methods=METHODS))
    assert statuses(client, "/a", "/b", "/a", "/b") == [200, 200, 429, 429]
    assert statuses(client, "/a", "/b", method="POST") == [200, 200]


def test_override_defaults_false_has_both_apply(sidegate: Memory) -> None:
    limiter = Limiter(default_limits="5/minute")
    assert statuses(limited("9/minute", limiter, override_defaults=False), "/x") == [200]
    (key,) = sidegate.keys()
    assert sidegate.spent(key) == {"5/minute": 1, "9/minute": 1}
