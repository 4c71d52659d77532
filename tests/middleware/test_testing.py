"""Tests of apps without a sidecar, by the test clients that people have."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.testclient import TestClient

from sidegate import BlockingClient, Client, Limiter
from sidegate.testing import Memory, in_this_process, isolated
from tests.support.in_process.cluster import GENEROUS, client, cluster

pytest_plugins = ["pytester"]

LIMIT = "2/minute"
KEY = "default:testclient"

Statuses = Callable[[int], list[int]]


def fastapi_app(**options: Any) -> FastAPI:
    """Return an app that is limited, as its module would make it."""
    app = FastAPI()
    app.add_middleware(Limiter(LIMIT, **options).asgi)

    @app.get("/")
    async def root() -> str:
        return "ok"

    return app


@pytest.fixture(params=["with", "without"])
def of_fastapi(request: pytest.FixtureRequest) -> Iterator[Statuses]:
    """A TestClient has one loop for its block, or else one for each request."""
    requests = TestClient(fastapi_app())
    with requests if request.param == "with" else nullcontext():
        yield lambda times: [requests.get("/").status_code for _ in range(times)]


@pytest.mark.filterwarnings("error")
def test_a_test_client_of_starlette_is_limited(of_fastapi: Statuses, sidegate: Memory) -> None:
    assert of_fastapi(3) == [200, 200, 429]
    sidegate.advance(30)
    assert of_fastapi(2) == [200, 429]
    assert sidegate.spent(KEY) == {LIMIT: 2}
    sidegate.fill(KEY)
    assert of_fastapi(3) == [200, 200, 429]


@pytest.mark.filterwarnings("error")
def test_flasks_test_client_is_limited(sidegate: Memory) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "ok")
    app.wsgi_app = Limiter(LIMIT).wsgi(app.wsgi_app)  # type: ignore[method-assign]
    requests = app.test_client()
    assert [requests.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert sidegate.keys() == ["default:127.0.0.1"]
    sidegate.reset()
    assert requests.get("/").status_code == 200


def test_clients_of_real_sidecars_stand_aside_meanwhile() -> None:
    """Also those that are connected; and they go on afterwards where they were."""

    async def scene() -> None:
        async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
            blocking = BlockingClient(str(node.link), secret="", budget=GENEROUS)
            asked = [(await asking.check("k", LIMIT)).source for _ in range(3)]
            assert asked == ["owner"] * 3  # the last is a denial, which may be remembered
            assert not (await asyncio.to_thread(blocking.check, "k", LIMIT)).allowed
            with isolated() as memory:
                found = [await asking.check("k", LIMIT) for _ in range(3)]
                assert [it.source for it in found] == ["memory"] * 3
                assert [it.allowed for it in found] == [True, True, False]
                denied = await asyncio.to_thread(blocking.check, "k", LIMIT)
                assert (denied.allowed, denied.source) == (False, "memory")
                memory.advance(60)
                assert (await asking.check("k", LIMIT)).allowed
            after = await asking.check("k", LIMIT)
            assert not after.allowed
            assert after.source in {"owner", "remembered"}
            blocking.close()

    asyncio.run(scene())


def test_blocks_may_lie_in_each_other() -> None:
    with BlockingClient("memory") as asking:
        with isolated() as outer:
            assert asking.check("k", "1/day").allowed
            with isolated():
                assert asking.check("k", "1/day").allowed
            assert not asking.check("k", "1/day").allowed
            assert outer.keys() == ["k"]
        assert "k" not in in_this_process().keys()  # noqa: SIM118  # no mapping


@pytest.mark.parametrize("fails", [False, True])
def test_a_block_ends_with_its_test(fails: bool) -> None:
    with pytest.raises(ZeroDivisionError) if fails else nullcontext(), isolated():
        assert 1 / (not fails)
    assert asyncio.run(_source_of(Client("127.0.0.1:9"))) == "open"


async def _source_of(asking: Client) -> str:
    async with asking:
        return (await asking.check("k", LIMIT)).source


PROJECT = {
    "shop": """
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse
        from django.urls import path
        from fastapi import FastAPI

        from sidegate import Client, Limiter

        app = FastAPI()
        app.add_middleware(Limiter("2/day").asgi)
        api = Client()

        @app.get("/")
        async def root():
            return (await api.check("k", "1/day")).allowed

        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
        urlpatterns = [path("", lambda request: HttpResponse("ok"))]
        django_app = Limiter("2/day", service="django").wsgi(get_wsgi_application())
    """,
    "test_fastapi": """
        import pytest
        from fastapi.testclient import TestClient

        from shop import app

        @pytest.mark.parametrize("time", range(3))
        def test_it_is_whole_each_time(sidegate, time):
            client = TestClient(app)
            answers = [client.get("/") for _ in range(3)]
            assert [it.status_code for it in answers] == [200, 200, 429]
            assert [it.json() for it in answers[:2]] == [True, False]
    """,
    "test_wsgi": """
        import pytest
        from werkzeug.test import Client

        from shop import django_app

        @pytest.mark.parametrize("time", range(3))
        def test_it_is_whole_each_time(sidegate, time):
            client = Client(django_app)
            assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]
            sidegate.advance(24 * 3600 / 2)
            assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    """,
}


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "xdist"])
def test_a_suite_without_a_sidecar_is_green(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """The fixture comes with the package, isolates each test, and leaves nothing that warns."""
    pytester.makepyfile(**PROJECT)
    done = pytester.runpytest_subprocess(
        "-Werror", "-pno:cacheprovider", "-pno:asyncio", *arguments
    )
    done.assert_outcomes(passed=6)
