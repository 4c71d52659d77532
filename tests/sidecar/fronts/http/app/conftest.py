"""A node that is alone, for many tests of its API."""

from collections.abc import AsyncGenerator

import httpx2
import pytest_asyncio

from tests.support.in_process.cluster import cluster
from tests.support.in_process.http_client import http


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncGenerator[httpx2.AsyncClient]:
    """Return a client of a node that is alone; all tests share it, each with keys of its own."""
    async with cluster("n1") as (node,), http(node) as shared:
        yield shared
