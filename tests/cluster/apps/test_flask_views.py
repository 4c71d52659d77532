"""Limits of Flask's views on gunicorn, with a real sidecar: threads and greenlets alike."""

import asyncio
from collections.abc import Generator
from http.client import HTTPConnection

import httpx2
import pytest

from tests.support.apps import clients as asking
from tests.support.apps.clients import current, statuses
from tests.support.apps.options import WORKER
from tests.support.processes.services import GREENLETS, THREADS, App, Sidecar, running


@pytest.fixture(scope="module", params=[THREADS, GREENLETS], ids=["threads", "greenlets"])
def app(request: pytest.FixtureRequest, sidecar: Sidecar) -> Generator[App]:
    app = App("flask_views", sidecar, *request.param, "tests.support.apps.flask_views_app:app")
    with running(app):
        yield app


@pytest.fixture
def client(app: App, address: str) -> Generator[httpx2.Client]:
    """Stand behind the proxy that the app trusts."""
    with asking.client(app.url, {"x-forwarded-for": address}) as client:
        yield client


def test_the_workers_share_the_limit_of_a_view(app: App, sidecar: Sidecar, address: str) -> None:
    """Each request on a connection of its own; the app's own handler answers the refusal."""
    answers: list[httpx2.Response] = []
    for _ in range(8):
        with asking.client(app.url, {"x-forwarded-for": f"203.0.113.1, {address}"}) as fresh:
            answers.append(fresh.get("/"))
    assert statuses(answers) == [200] * 5 + [429] * 3
    assert answers[7].json()["slow_down"].startswith("The limit is 5/hour. Retry in ")
    assert 0 < int(answers[7].headers["retry-after"]) <= 720
    assert all(WORKER in it.headers for it in answers)
    assert [it["remaining"] for it in sidecar.buckets(f"shop/shop.index:{address}")] == [0]
    assert [it["remaining"] for it in sidecar.buckets(f"shop/default:{address}")] == [995]


def test_limits_of_one_request_are_decided_together(client: httpx2.Client) -> None:
    """What one of them refuses is charged to none."""
    posts = [client.post("/things") for _ in range(4)]
    assert statuses(posts) == [200, 200, 429, 429]
    assert client.head("/things").status_code == 200
    assert {name: it["r"] for name, it in current(client.get("/things")).items()} == {
        "default": 996,
        "things": 3,
    }


def test_only_failures_are_charged(client: httpx2.Client) -> None:
    codes = [200] * 5 + [401] * 4
    assert statuses([client.post(f"/login/{code}") for code in codes]) == [
        *[200] * 5,
        *[401] * 3,
        429,
    ]


def test_a_spelling_is_no_way_around(app: App, address: str) -> None:
    """As a client that isn't polite sends it."""
    host, port = app.url.removeprefix("http://").split(":")
    spellings = [("GET", "/"), ("HEAD", "/"), ("GET", "//"), ("GET", "/?x=1"), ("GET", "/%2F")]
    found: list[int] = []
    for method, target in [*spellings, ("GET", "/")]:
        connection = HTTPConnection(host, int(port), timeout=60)
        connection.request(method, target, headers={"x-forwarded-for": address})
        found.append(connection.getresponse().status)
        connection.close()
    assert found == [200] * 5 + [429]


async def test_requests_at_once_are_apart(app: App, key: str) -> None:
    """What a view, its stream and the limiter know of a request is of that request."""
    async with asking.async_client(app.url, connections=16) as client:
        users = [f"{key} {at}" for at in range(64)]
        asked = [client.get("/api/whoami", headers={"x-user": user}) for user in users]
        answers = await asyncio.gather(*asked)
    assert [it.text for it in answers] == [f"{user} {user} True" for user in users]
    assert {current(it)["whoami"]["r"] for it in answers} == {999}


def test_an_exempt_view_and_a_path_that_is_not_there(client: httpx2.Client) -> None:
    assert "ratelimit" not in client.get("/healthz").headers
    nowhere = client.get("/nowhere")
    assert (nowhere.status_code, current(nowhere)) == (404, {"default": {"r": 999, "t": 87}})
