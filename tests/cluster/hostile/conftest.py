"""Watched sidecars for many tests of a file."""

from collections.abc import AsyncGenerator

import pytest_asyncio

from tests.cluster.hostile.watched import SECRET, Watched, watched


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing() -> AsyncGenerator[Watched]:
    """Run sidecars for many tests: none of what strangers do makes a difference to the next."""
    async with watched() as it:
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secretive() -> AsyncGenerator[Watched]:
    """Run sidecars with a secret for many tests."""
    async with watched(secret=SECRET) as it:
        yield it
