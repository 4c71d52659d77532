"""LimiterMiddleware in Django, by its own test clients, without a sidecar."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import JsonResponse
from django.test import AsyncClient, Client
from django.test.utils import override_settings

from sidegate.integrations.django import limiter
from sidegate.testing import Memory
from tests.support.apps import django_limits_app
from tests.support.apps.django_limits_app import MIDDLEWARE, SIDEGATE

ADDRESS = "192.0.2.1"
URLS = django_limits_app.__name__

pytestmark = pytest.mark.usefixtures("sidegate")  # whole limits for each


@pytest.fixture(autouse=True)
def project() -> Iterator[None]:
    """Be this project."""
    with override_settings(ROOT_URLCONF=URLS, MIDDLEWARE=MIDDLEWARE, SIDEGATE=SIDEGATE):
        yield


def options(**given: object) -> Any:
    """Have other options, in a block."""
    return override_settings(SIDEGATE=SIDEGATE | given)


def ask(path: str = "/", times: int = 1, method: str = "get", **headers: str) -> list[Any]:
    fields = {"x-forwarded-for": ADDRESS} | {it.replace("_", "-"): headers[it] for it in headers}
    return [getattr(Client(headers=fields), method)(path) for _ in range(times)]


async def ask_in_loop(path: str, times: int = 1, **headers: str) -> list[Any]:
    fields = {"x-forwarded-for": ADDRESS} | {it.replace("_", "-"): headers[it] for it in headers}
    client = AsyncClient()
    return [await client.get(path, headers=fields) for _ in range(times)]


def statuses(answers: list[Any]) -> list[int]:
    return [it.status_code for it in answers]


def test_a_route_has_the_default_limits_and_its_bucket(sidegate: Memory) -> None:
    answers = ask(times=4)
    assert statuses(answers) == [200] * 3 + [429]
    assert answers[0]["ratelimit-policy"] == '"default";q=50;w=86400, "ok";q=3;w=3600'
    assert answers[3]["content-type"] == "application/problem+json"
    assert answers[3]["retry-after"] == "1200"
    assert b"quota-exceeded" in answers[3].content
    assert sidegate.keys() == [f"shop/default:{ADDRESS}", f"shop/{URLS}.ok:{ADDRESS}"]
    sidegate.advance(1200)
    assert statuses(ask(times=2)) == [200, 429]


def test_a_route_is_counted_and_not_the_path(sidegate: Memory) -> None:
    """A view that is at several paths has one bucket; a generic one has one at each route."""
    assert statuses([ask(f"/same/{at}/")[0] for at in range(4)]) == [200] * 3 + [429]
    assert statuses([ask(f"/things/{at}")[0] for at in range(4)]) == [200] * 3 + [429]
    assert statuses(ask("/old", 4) + ask("/older")) == [302] * 3 + [429, 302]
    assert statuses(ask("/unnamed", 4) + ask("/unnamed-too")) == [302] * 3 + [429, 302]
    assert f"shop/django.views.generic.base.RedirectView old:{ADDRESS}" in [*sidegate.keys()]


async def test_an_object_without_a_hash_is_a_view() -> None:
    assert statuses(ask("/object", 3)) == [200] * 3
    assert statuses(await ask_in_loop("/object")) == [429]


@pytest.mark.parametrize("path", ["/plain", "/dispatched", "/api", "/api-above", "/set"])
def test_marks_are_found_wherever_they_stand(path: str) -> None:
    limit = 2 if path == "/plain" else 1
    assert statuses(ask(path, limit + 1)) == [200] * limit + [429]


def test_methods_and_actions_have_their_own_marks() -> None:
    assert statuses(ask("/class", 2, "post") + ask("/class", 2, "put")) == [200, 429] * 2
    assert statuses(ask("/class", 2)) == [200, 200]
    assert statuses(ask("/set/1", 4)) == [200] * 3 + [429]


def test_a_template_sees_what_is_left() -> None:
    assert [it.content for it in ask("/plain", 2)] == [b"1 of 2", b"0 of 2"]


def test_exempt_views_and_paths_are_not_limited(sidegate: Memory) -> None:
    answers = ask("/free", 9) + ask("/healthz", 9)
    assert statuses(answers) == [200] * 18
    assert not any("ratelimit" in it for it in answers)
    assert sidegate.keys() == []


def test_what_is_not_found_has_the_limits_of_the_application() -> None:
    with options(LIMITS="2/hour"):
        answers = ask("/nowhere") + ask("/elsewhere") + ask("/nowhere") + ask("/")
    assert statuses(answers) == [404, 404, 429, 429]
    assert answers[0]["ratelimit"].startswith('"default";r=1')


def test_a_response_may_give_the_token_back() -> None:
    answers = ask("/failing", 5) + ask("/failing?status=401", 3)
    assert statuses(answers) == [200] * 5 + [401, 401, 429]


@pytest.mark.parametrize("path", ["/later", "/"])
async def test_a_loop_is_limited_alike(path: str) -> None:
    answers = await ask_in_loop(path, 4)
    assert statuses(answers) == [200] * 3 + [429]
    assert answers[3]["retry-after"] == "1200"
    assert statuses(await ask_in_loop("/nowhere")) == [404]


async def test_a_plain_key_may_ask_the_database_in_a_loop() -> None:
    assert statuses(await ask_in_loop("/users", 3, x_user="7")) == [200, 200, 429]
    assert statuses(await ask_in_loop("/users", 1, x_user="8")) == [200]
    assert statuses(await sync_to_async(ask)("/users", 1, x_user="7")) == [429]
    assert [it.content for it in await ask_in_loop("/users", 1, x_user="9")] == [b"1"]


async def akey(request: Any) -> str:
    """Be a key in a loop."""
    return str(request.headers["x-user"])


async def test_a_key_may_be_awaited() -> None:
    with options(KEY=akey, LIMITS="2/hour", DEFAULT_LIMITS=None):
        assert statuses(await ask_in_loop("/later", 3, x_user="7")) == [200, 200, 429]


def test_a_key_may_be_awaited_under_wsgi() -> None:
    with options(KEY=akey, LIMITS="2/hour", DEFAULT_LIMITS=None):
        assert statuses(ask("/", 3, x_user="7")) == [200, 200, 429]


def test_a_key_has_a_name_or_a_path(sidegate: Memory) -> None:
    with options(KEY="user_or_ip", DEFAULT_LIMITS="1/hour"):
        assert statuses(ask("/", 2, x_user="7") + ask("/", 2)) == [200, 429, 200, 429]
        assert f"shop/default:{ADDRESS}" in [*sidegate.keys()]
    with options(KEY="tests.support.apps.django_limits_app.by_user", DEFAULT_LIMITS="1/hour"):
        assert statuses(ask("/", 2, x_user="9") + ask("/", 9)) == [200, 429] + [200] * 9


def too_many(_request: object, exception: Any) -> Any:
    """Be a handler429."""
    return JsonResponse({"slow down": exception.retry_after}, status=429)


def test_handler429_of_the_urlconf_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_limits_app, "handler429", too_many, raising=False)
    for path, times in (("/", 4), ("/limited", 2)):
        refused = ask(path, times)[-1]
        assert refused.status_code == 429
        assert "slow down" in refused.json()
        assert int(refused["retry-after"]) > 0
        assert "ratelimit" in refused


def test_a_handler429_that_fails_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(django_limits_app, "handler429", lambda: None, raising=False)
    assert statuses(ask("/", 4)) == [200] * 3 + [429]
    assert "handler429 failed" in caplog.text


def test_what_a_limiter_has_outlives_changed_settings() -> None:
    with options(ENABLED=False):
        assert statuses(ask("/plain", 9)) == [200] * 9
    assert limiter.current.decision is None
    assert statuses(ask("/plain", 3)) == [200, 200, 429]


def test_shadow_refuses_nothing() -> None:
    with options(SHADOW=True):
        answers = ask("/", 5) + ask("/limited", 3)
    assert statuses(answers) == [200] * 8
    assert answers[4]["sidegate-shadow"] == "denied"


def test_what_csrf_refuses_counts_for_the_application(sidegate: Memory) -> None:
    csrf = "django.middleware.csrf.CsrfViewMiddleware"
    with override_settings(MIDDLEWARE=[csrf, *MIDDLEWARE]):
        client: Any = Client(enforce_csrf_checks=True)
        posted = client.post("/class")
    assert posted.status_code == 403
    assert sidegate.keys() == ["shop/default:127.0.0.1"]


def test_a_body_is_read_by_keys_and_views_alike() -> None:
    with options(KEY="post:name", DEFAULT_LIMITS="1/hour"):
        names = ["ann", "ann", "bob"]
        answers: list[Any] = [Client().post("/", {"name": name}) for name in names]
    assert statuses(answers) == [200, 429, 200]
