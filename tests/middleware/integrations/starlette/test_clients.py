"""Starlette: whom a limiter asks, and when it closes what it has made."""

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from sidegate import Client, Limiter
from tests.support.apps.limited import client_of, hello, statuses
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE


def test_it_asks_a_real_sidecar_and_closes_its_client_with_the_app(sidecar: SidecarDouble) -> None:
    limiter = Limiter("2/minute", sidecar=sidecar.address, secret="", budget=AMPLE)
    app = Starlette(routes=[Route("/x", hello)])
    app.add_middleware(limiter.asgi)
    for _ in range(2):
        with TestClient(app) as client:
            assert "sidegate-source" not in client.get("/x").headers
    assert sidecar.accepted == 2


def test_a_client_of_the_app_is_asked() -> None:
    limiter = Limiter("1/minute", client=Client("off"))
    assert statuses(client_of(limiter, Route("/x", hello)), "/x", "/x") == [200, 200]
