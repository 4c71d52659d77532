"""What the idioms run on: a sidecar, an app of each framework, clients of new addresses."""

from collections.abc import Generator, Iterator
from itertools import count

import pytest

from tests.support.apps.caller import Caller
from tests.support.processes.services import UVICORN, App, Sidecar, running


@pytest.fixture(scope="session")
def sidecar() -> Generator[Sidecar]:
    """Run a sidecar for all of them."""
    sidecar = Sidecar("idioms")
    with running(sidecar):
        yield sidecar


@pytest.fixture(scope="session")
def addresses() -> Iterator[str]:
    """Give addresses that no test calls from."""
    return (f"198.18.{number // 250}.{number % 250}" for number in count())


@pytest.fixture
def address(addresses: Iterator[str]) -> str:
    """Return an address that no other test calls from."""
    return next(addresses)


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
