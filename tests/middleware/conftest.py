"""A sidecar at a Unix socket, for tests of what asks it."""

from collections.abc import Iterator

import pytest

from tests.support.in_process.sidecar_double import SidecarDouble


@pytest.fixture
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarDouble]:
    """Run a sidecar that misbehaves when it is told to."""
    with SidecarDouble(f"unix:{tmp_path_factory.mktemp('s')}/s") as double:
        yield double
