"""What the idioms run on: a sidecar, FastAPI and Starlette, and clients of new addresses."""

from collections.abc import Generator

import pytest

from tests.support.processes.caller import Caller
from tests.support.processes.fixtures import address, addresses, sidecar
from tests.support.processes.services import UVICORN, App, Sidecar, running

__all__ = ["address", "addresses", "sidecar"]


@pytest.fixture(scope="session")
def fastapi_app(sidecar: Sidecar) -> Generator[App]:
    """Run FastAPI and Starlette on uvicorn."""
    app = App("fastapi", sidecar, *UVICORN, "tests.idioms.fastapi_apps.main:app")
    with running(app):
        yield app


@pytest.fixture
def fastapi(fastapi_app: App, address: str) -> Caller:
    """Return a client of them."""
    return Caller(fastapi_app.url, address)
