"""The present request: keys of ours are called with a framework's own request, too."""

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient

from sidegate import Limiter, client_ip, header
from sidegate.testing import Memory


def user_or_address(request: Request) -> str:
    return request.headers.get("x-user") or client_ip()(request)


def test_a_function_of_the_frameworks_request_falls_back_on_the_address(sidegate: Memory) -> None:
    """As in a key of our own request; behind proxies it is the client's address."""
    limiter = Limiter("2/minute", key=user_or_address, trusted_proxies=1)
    app = FastAPI()
    app.add_middleware(limiter.asgi)
    app.get("/")(lambda: None)
    client = TestClient(app, client=("192.0.2.1", 1))
    client.get("/", headers={"x-forwarded-for": "198.51.100.7"})
    client.get("/", headers={"x-user": "anna"})
    assert set(sidegate.keys()) == {"default:198.51.100.7", "default:anna"}


def test_in_a_dependency_that_runs_in_a_thread(sidegate: Memory) -> None:
    """It has the present request as well."""
    limiter = Limiter()
    app = FastAPI()
    app.add_middleware(limiter.asgi)
    limit = limiter.dep("2/minute", scope="db", key=Depends(user_or_address))
    app.get("/", dependencies=[Depends(limit)])(lambda: None)
    assert TestClient(app, client=("192.0.2.1", 1)).get("/").status_code == 200
    assert set(sidegate.keys()) == {"db:192.0.2.1"}


def test_in_a_key_of_a_dependency_without_the_middleware(sidegate: Memory) -> None:
    """The dependency has the request, too."""
    limit = Limiter().dep("2/minute", scope="db", key=user_or_address)
    app = FastAPI()
    app.get("/", dependencies=[Depends(limit)])(lambda: None)
    assert TestClient(app, client=("192.0.2.1", 1)).get("/").status_code == 200
    assert set(sidegate.keys()) == {"db:192.0.2.1"}


def test_outside_of_a_request_that_a_limiter_sees() -> None:
    """What isn't ours is an error that says what is missing."""
    with pytest.raises(TypeError, match=r"expected a sidegate\.Request, or to be called in a"):
        client_ip()(Request({"type": "http"}))
    with pytest.raises(TypeError, match=r"expected a sidegate\.Request"):
        header("x-api-key")(None)
