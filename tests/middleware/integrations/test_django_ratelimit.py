"""ratelimit takes what django-ratelimit's takes, with and without LimiterMiddleware."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import override_settings

from sidegate.integrations.django import (
    ALL,
    UNSAFE,
    Ratelimited,
    aget_usage,
    ais_ratelimited,
    get_usage,
    is_ratelimited,
    ratelimit,
)
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.testing import Memory
from tests.middleware.integrations.test_django import ask, ask_in_loop, statuses
from tests.support.apps import django_limits_app
from tests.support.apps.django_limits_app import MIDDLEWARE

FACTORY: Any = RequestFactory()
HERE = "tests.middleware.integrations.test_django_ratelimit"


# --- keys and rates that are functions


def by_path(_group: str, request: Any) -> str:
    return str(request.path)


def by_group(group: str, request: Any) -> str:
    return f"{group} {request.path}"


def by_request(request: Any) -> str:
    return str(request.path)


def at_the_root(_group: str, request: Any) -> str | None:
    return "1/m" if request.path == "/" else None


def nothing(_group: str, _request: object) -> str:
    return "0/s"


def three(_group: str, _request: object) -> tuple[int, int]:
    return 3, 60


pytestmark = pytest.mark.usefixtures("sidegate")  # whole limits for each


@pytest.fixture(autouse=True)
def project() -> Iterator[None]:
    """Have one service, and count by the peer."""
    given = {"service": "shop"}
    with override_settings(
        ROOT_URLCONF=django_limits_app.__name__, MIDDLEWARE=MIDDLEWARE, SIDEGATE=given
    ):
        yield


def view(**arguments: Any) -> Any:
    """Return a view with a limit, which tells whether it is limited."""
    asked: dict[str, Any] = {"group": "search", **arguments}

    @ratelimit(**asked)
    def limited(request: Any) -> HttpResponse:
        return HttpResponse(str(request.limited).encode())

    return limited


def passes(limited: Any, *requests: Any) -> list[bool]:
    """Tell which requests a view lets pass."""
    told: list[bool] = []
    for request in requests:
        try:
            limited(request)
        except Ratelimited:
            told.append(False)
        else:
            told.append(True)
    return told


def get(path: str = "/", user: int | None = None, **fields: Any) -> Any:
    request = FACTORY.get(path, **fields)
    request.user = User(pk=user) if user else AnonymousUser()
    return request


def test_without_the_middleware_a_view_raises_permission_denied(sidegate: Memory) -> None:
    limited = view(key="ip", rate="2/m")
    response = limited(get())
    assert response["ratelimit-policy"] == '"search";q=2;w=60'
    assert passes(limited, get(), get()) == [True, False]
    with pytest.raises(PermissionDenied) as raised:
        limited(get())
    assert isinstance(raised.value, RateLimitExceeded)
    assert raised.value.status_code == 429
    assert sidegate.keys() == ["shop/search:127.0.0.1"]
    sidegate.advance(30)
    assert passes(limited, get()) == [True]


@pytest.mark.parametrize(
    ("key", "name", "requests"),
    [
        ("ip", "10.0.0.1", [{"REMOTE_ADDR": "10.0.0.1"}, {"REMOTE_ADDR": "10.0.0.2"}]),
        ("user", "user=7", [{"user": 7}, {"user": 8}]),
        ("user_or_ip", "user=7", [{"user": 7}, {"REMOTE_ADDR": "10.0.0.2"}]),
        ("header:x-api-key", "x-api-key=a", [{"HTTP_X_API_KEY": "a"}, {}]),
        ("get:q", "q=1", [{"path": "/?q=1"}, {"path": "/?q=2"}]),
        (by_group, "search /a", [{"path": "/a"}, {"path": "/b"}]),
        (f"{HERE}.by_path", "/a", [{"path": "/a"}, {"path": "/b"}]),
    ],
)
def test_keys_are_those_of_django_ratelimit(
    sidegate: Memory, key: Any, name: str, requests: list[dict[str, Any]]
) -> None:
    one, other = requests
    limited = view(key=key, rate="1/h")
    assert passes(limited, get(**one), get(**one), get(**other)) == [True, False, True]
    assert f"shop/search:{name}" in [*sidegate.keys()]


def test_the_field_of_a_form_is_a_key() -> None:
    limited = view(key="post:username", rate="1/h")
    posts = [FACTORY.post("/", {"username": name}) for name in ("ann", "ann", "bob")]
    assert passes(limited, *posts) == [True, False, True]


@pytest.mark.parametrize(
    ("rate", "admitted"),
    [
        ("2/s", 2),
        ("3/5m", 3),
        ("2/M", 2),
        ("2/10", 2),
        ((2, 60), 2),
        ("1/minute burst 4", 4),
        ("0/s", 0),
        ("0/minute", 0),
        ((0, 60), 0),
        (None, 6),
        (at_the_root, 1),
        (nothing, 0),
        (three, 3),
        (f"{HERE}.three", 3),
    ],
)
def test_rates_are_those_of_django_ratelimit(rate: Any, admitted: int) -> None:
    told = passes(view(key="ip", rate=rate), *(get() for _ in range(6)))
    assert told == [True] * admitted + [False] * (6 - admitted)


def test_a_rate_of_nothing_asks_nobody_and_names_no_time(sidegate: Memory) -> None:
    with pytest.raises(Ratelimited) as raised:
        view(key="ip", rate="0/s")(get())
    assert (raised.value.status_code, raised.value.retry_after) == (429, 0)
    assert "Retry-After" not in raised.value.headers
    assert sidegate.keys() == []


@pytest.mark.parametrize(
    ("method", "counted"), [(ALL, "GP"), (UNSAFE, "P"), ("POST", "P"), (["GET", "PUT"], "G")]
)
def test_only_the_methods_count(method: Any, counted: str) -> None:
    limited = view(key="ip", rate="0/s", method=method)
    assert passes(limited, get(), FACTORY.post("/")) == ["G" not in counted, "P" not in counted]


def test_methods_of_one_view_count_apart() -> None:
    gets = ratelimit(group="search", key="ip", rate="1/h", method="GET")
    limited = gets(view(key="ip", rate="1/h", method=ratelimit.UNSAFE))
    requests = [get(), FACTORY.post("/"), get(), FACTORY.post("/")]
    assert passes(limited, *requests) == [True, True, False, False]


def test_without_block_the_request_tells() -> None:
    limited = view(key="ip", rate="1/h", block=False)
    assert [limited(get()).content for _ in range(3)] == [b"False", b"True", b"True"]


def test_views_have_groups_of_their_own() -> None:
    for path in ("/limited", "/api-limited"):
        answers = ask(path, 2)
        assert statuses(answers) == [200, 429]
        assert int(answers[1]["retry-after"]) == 3600
    soft = ask("/soft", 3)
    assert [it.content for it in soft] == [b"False", b"False", b"True"]
    assert "ratelimit" in soft[0]
    assert ask("/api-limited")[0].json()["detail"].startswith("The limit is 1/hour")


async def test_async_views_count_users_and_addresses() -> None:
    answers = await ask_in_loop("/searched", 3, x_user="7") + await ask_in_loop("/searched", 3)
    assert statuses(answers) == [200, 200, 429] * 2
    assert statuses(await sync_to_async(ask)("/searched", 1, x_user="7")) == [429]


def test_usage_tells_and_charges_only_if_it_shall() -> None:
    asked: dict[str, Any] = {"group": "login", "key": "ip", "rate": "2/m"}
    assert get_usage(get(), **asked) == {
        "count": 0, "limit": 2, "should_limit": False, "time_left": 0
    }  # fmt: skip
    assert not is_ratelimited(get(), **asked)
    request = get()
    assert [is_ratelimited(request, **asked, increment=True) for _ in range(3)] == [
        False, False, True
    ]  # fmt: skip
    assert get_usage(get(), **asked) == {
        "count": 2, "limit": 2, "should_limit": True, "time_left": 60
    }  # fmt: skip
    assert request.sidegate.remaining == 0
    assert get_usage(get(), group="login", key="ip", rate=None) is None
    assert not is_ratelimited(get(), **asked, method="POST")


async def test_usage_in_a_loop() -> None:
    asked: dict[str, Any] = {"fn": by_path, "key": "user", "rate": "1/m", "increment": True}
    assert [await ais_ratelimited(get(user=7), **asked) for _ in range(2)] == [False, True]
    usage = await aget_usage(get(user=8), **asked)
    assert usage is not None
    assert usage["count"] == 1


def test_functions_that_fail_let_through_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_group: str, _request: object) -> str:
        raise RuntimeError("broken")

    assert passes(view(key=broken, rate="1/h"), *(get() for _ in range(3))) == [True] * 3
    assert passes(view(key="ip", rate=broken), *(get() for _ in range(3))) == [True] * 3
    assert passes(view(key="ip", rate="no.such.function"), get()) == [True]
    assert "broken" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"key": None}, "key=None: expected 'ip'"),
        ({"key": "adress"}, "key='adress': expected 'ip'"),
        ({"key": by_request}, "expected a function of group and request"),
        ({"rate": "5/x"}, "rate='5/x': "),
        ({"rate": 5}, "rate=5: it is of type int"),
        ({"rate": (5, "m")}, "a tuple has a count and seconds"),
        ({"method": 7}, "method=7: expected a method"),
        ({"method": []}, "expected a method"),
        ({"block": "no"}, "block='no': expected True or False"),
        ({"group": 7}, "group=7: expected a name"),
    ],
)
def test_a_wrong_argument_is_told_where_it_is_written(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        view(**{"key": "ip", "rate": "5/m"} | arguments)
    assert told in str(raised.value)
