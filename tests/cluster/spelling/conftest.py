"""Every server with every framework, started once for all tests of this folder."""

from collections.abc import Generator

import pytest

from tests.cluster.spelling.serving.servers import ASGI, FOLDER, WSGI, serving
from tests.support.processes.services import App, Sidecar, running


@pytest.fixture(scope="package")
def sidecar() -> Generator[Sidecar]:
    sidecar = Sidecar("a")
    with running(sidecar):
        yield sidecar


@pytest.fixture(scope="package")
def servers(sidecar: Sidecar) -> Generator[dict[str, App]]:
    """Serve the views, on each server by name."""
    apps = serving(ASGI, f"{FOLDER}.frameworks.asgi_apps:app", sidecar)
    apps |= serving(WSGI, f"{FOLDER}.frameworks.wsgi_apps:app", sidecar)
    with running(*apps.values()):
        yield apps
