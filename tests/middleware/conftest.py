"""A sidecar at a Unix socket, for tests of what asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.in_process.sidecar_double import SidecarDouble

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarDouble]:
    """Run a sidecar that misbehaves when it is told to."""
    with SidecarDouble(f"unix:{tmp_path_factory.mktemp('s')}/s") as double:
        yield double
