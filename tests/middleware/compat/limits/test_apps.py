"""Flask-Limiter and slowapi, by storage_uri alone."""

import logging
from typing import Any

import pytest
import slowapi
from fastapi import FastAPI, Request
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from slowapi.errors import RateLimitExceeded
from starlette.testclient import TestClient

from sidegate.compat.limits import SidegateStorage
from sidegate.testing import isolated


def flask_app(**options: object) -> Flask:
    """Return an app with one view, and fields on its responses."""
    app = Flask(__name__)
    limiter = Limiter(get_remote_address, headers_enabled=True, **options)  # type: ignore[arg-type]  # any
    limiter.init_app(app)

    app.add_url_rule("/", view_func=limiter.limit("2/hour; 3/day")(index))
    assert isinstance(limiter.storage, SidegateStorage)
    return app


def index() -> str:
    return "ok"


def raising(sidecar: str) -> str:
    return f"sidegate://{sidecar}?on_unreachable=raise"


@pytest.mark.parametrize("strategy", ["fixed-window", "moving-window", "token-bucket"])
def test_flask_limiter(strategy: str) -> None:
    with isolated() as memory:
        client = flask_app(storage_uri="sidegate://", strategy=strategy).test_client()
        answers = [client.get("/") for _ in range(3)]
        assert [it.status_code for it in answers] == [200, 200, 429]
        assert [it.headers["X-RateLimit-Remaining"] for it in answers] == ["1", "0", "0"]
        assert memory.keys() == [
            *("limits:LIMITER/127.0.0.1/index/2/1/hour", "limits:LIMITER/127.0.0.1/index/3/1/day"),
        ]


@pytest.mark.parametrize("strategy", ["fixed-window", "token-bucket"])
def test_the_fallback_of_flask_limiter_takes_over(strategy: str, nowhere: str) -> None:
    """It is asked by Flask-Limiter, in its own memory."""
    app = flask_app(
        storage_uri=raising(nowhere), strategy=strategy, in_memory_fallback_enabled=True
    )
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]


def test_errors_are_swallowed_by_flask_limiter(
    nowhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = flask_app(storage_uri=raising(nowhere), swallow_errors=True).test_client()
    with caplog.at_level(logging.CRITICAL, "flask-limiter"):
        assert [client.get("/").status_code for _ in range(4)] == [200] * 4


def test_by_default_nobody_is_refused_for_want_of_a_sidecar(nowhere: str) -> None:
    client = flask_app(storage_uri=f"sidegate://{nowhere}").test_client()
    assert [client.get("/").status_code for _ in range(4)] == [200] * 4


def test_slowapi() -> None:
    with isolated() as memory:
        limiter: Any = slowapi.Limiter(client_of, storage_uri="sidegate://")
        app = FastAPI()
        app.state.limiter = limiter
        handler: Any = slowapi._rate_limit_exceeded_handler
        app.add_exception_handler(RateLimitExceeded, handler)
        app.add_api_route("/", limiter.limit("2/hour")(path))
        client = TestClient(app)
        assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]
        assert [key.partition(":")[0] for key in list(memory.keys())] == ["limits"]


def path(request: Request) -> str:
    return request.url.path


def client_of(request: Request) -> str:
    return request.client.host if request.client else "nobody"
