"""What tests of the deployment share: an engine, our image on it, and a checkout beside it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.deploy.containers import engine as engines
from tests.deploy.containers import images
from tests.deploy.containers.compose import Compose
from tests.deploy.containers.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Generator[Engine]:
    """Give a Docker engine."""
    with engines.running() as running:
        yield running


@pytest.fixture(scope="session")
def compose(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Generator[Compose]:
    """Give our compose file in a checkout of its own, with the images built; all gone after it."""
    variables = images.variables(engine)
    folder: Path = tmp_path_factory.mktemp("checkout")
    images.checkout(folder, with_wheels=bool(variables))
    project = Compose(engine, folder, variables)
    try:
        project.do("build", "sidecar-1")  # one image for all
        yield project
    finally:
        project.down()


@pytest.fixture(scope="session")
def image(compose: Compose) -> str:
    """Give the name of our image, built from our Dockerfile."""
    return compose.image
