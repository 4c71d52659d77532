"""Limits of messages, tasks and outgoing requests; and in Django REST framework and Litestar."""

import time
from collections.abc import Generator

import httpx
import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from sidegate import BlockingClient, Client
from sidegate.integrations.httpx import AsyncRateLimitedTransport, RateLimitedTransport
from tests.idioms.rows import shows
from tests.support.processes.caller import Caller
from tests.support.processes.celery_workers import noted, send, wait_for, working
from tests.support.processes.services import THREADS, UVICORN, App, Sidecar, running

# --- websockets


def socket_of(caller: Caller, path: str) -> str:
    return f"{caller.url.replace('http', 'ws')}/sockets/{path}"


@shows("each message of a websocket")
def test_a_message_that_is_one_too_many_is_told_so(fastapi: Caller, address: str) -> None:
    """And by whichever of the two websockets of a client."""
    fields = {"x-forwarded-for": address}
    url, said = socket_of(fastapi, "polite"), list[str | bytes]()
    for _ in range(2):
        with connect(url, additional_headers=fields, proxy=None) as websocket:
            for text in ("one", "two"):
                websocket.send(text)
                said.append(websocket.recv())
    assert said[:2] == ["one", "two"]
    assert [str(text)[:19] for text in said[2:]] == ["The limit is 2/day."] * 2


@shows("each message of a websocket")
def test_a_message_that_is_one_too_many_closes_the_websocket(fastapi: Caller, address: str) -> None:
    fields = {"x-forwarded-for": address}
    url = socket_of(fastapi, "strict")
    with connect(url, additional_headers=fields, proxy=None) as websocket:
        for text in ("one", "two", "three"):
            websocket.send(text)
        assert [websocket.recv() for _ in range(2)] == ["one", "two"]
        with pytest.raises(ConnectionClosedError) as closed:
            websocket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008


# --- outgoing requests


@shows("outgoing requests of httpx")
def test_outgoing_requests_wait_for_their_turn(
    fastapi_app: App, sidecar: Sidecar, address: str
) -> None:
    """Two clients of one key, of two libraries, wait for each other."""
    link, url = str(sidecar.link), f"{fastapi_app.url}/healthz"
    with BlockingClient(link) as asked:
        transports = [
            RateLimitedTransport(
                "20/second burst 1", inner, key=lambda _: f"api:{address}", client=asked
            )
            for inner in (httpx.HTTPTransport(), httpx2.HTTPTransport(verify=False))
        ]
        with (
            httpx.Client(transport=transports[0]) as one,
            httpx2.Client(transport=transports[1]) as other,
        ):
            begun = time.monotonic()
            for _ in range(3):
                assert (one.get(url).status_code, other.get(url).status_code) == (200, 200)
            assert time.monotonic() - begun >= 5 / 20


@shows("outgoing requests of httpx")
async def test_they_wait_in_a_loop(fastapi_app: App, sidecar: Sidecar, address: str) -> None:
    async with Client(str(sidecar.link)) as asked:
        transport = AsyncRateLimitedTransport(
            "20/second burst 1", key=lambda _: f"async:{address}", client=asked
        )
        async with httpx.AsyncClient(transport=transport) as client:
            begun = time.monotonic()
            for _ in range(5):
                assert (await client.get(f"{fastapi_app.url}/healthz")).status_code == 200
            assert time.monotonic() - begun >= 4 / 20


# --- Celery


@shows("Celery")
def test_tasks_share_a_limit_and_are_put_off(
    sidecar: Sidecar, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Three of five run today; the others are sent again, with a countdown."""
    folder = tmp_path_factory.mktemp("celery")
    with working(folder, sidecar, ("--pool=prefork", "--concurrency=2")):
        send(folder, "daily", 5)
        wait_for(folder, "put-off", "daily", 2)
        wait_for(folder, "ran", "daily", 3)
    assert len(noted(folder, "ran", "daily")) == 3


# --- Django REST framework


@pytest.fixture(scope="module")
def drf(sidecar: Sidecar) -> Generator[App]:
    """Run it on gunicorn, of two workers."""
    app = App("drf", sidecar, *THREADS, "tests.support.apps.drf_app:wsgi")
    with running(app):
        yield app


@shows("throttles of DRF")
def test_throttles_of_the_settings_and_of_scopes(drf: App, address: str) -> None:
    """Who isn't logged in by address, users by primary key; a scope is one limit more.

    As in DRF, what one throttle refuses the others are charged for.
    """
    caller, user = Caller(drf.url, address), {"x-user": str(int(address.replace(".", "")))}
    assert caller.passed("/things", 5) == 3
    assert caller.passed("/uploads", 3, headers=user) == 2
    assert caller.passed("/things", 5, headers=user) == 1
    refused = caller.ask("/things")
    assert refused.json()["detail"].startswith("Request was throttled. Expected available in")
    assert 0 < int(refused.headers["retry-after"]) <= 28_800


# --- Litestar


@pytest.fixture(scope="module")
def litestar(sidecar: Sidecar) -> Generator[App]:
    """Run it on uvicorn."""
    app = App("litestar", sidecar, *UVICORN, "tests.idioms.apps.litestar_app:app")
    with running(app):
        yield app


@shows("decorator of a route", "default limits, of each route", "limit by plan")
def test_litestar_has_limits_of_handlers(litestar: App, address: str) -> None:
    caller = Caller(litestar.url, address)
    assert [caller.passed(f"/items/{number}", 1) for number in range(5)] == [1, 1, 1, 1, 0]
    assert caller.ask("/decorated").json() == 1
    assert caller.passed("/decorated", 2) == 1
    assert [caller.passed("/things", 3, it) for it in ("GET", "POST")] == [2, 2]
    assert caller.passed("/plan", 3) == 3
    assert caller.passed("/plan", 3, headers={"x-plan": "free"}) == 1
