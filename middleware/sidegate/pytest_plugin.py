"""The fixture `sidegate`, which pytest finds by itself; see `sidegate.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.testing import Memory


@pytest.fixture(name="sidegate")
def _sidegate() -> Iterator[Memory]:
    """Limits of this test alone, in this process: all whole at its begin, and no sidecar."""
    from sidegate.testing import isolated  # noqa: PLC0415  # not for tests that don't ask for it

    with isolated() as memory:
        yield memory
