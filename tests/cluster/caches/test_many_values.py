"""100,000 values on a sidecar in a process of its own: never over the bound, nor its memory."""

import asyncio
import sys
from typing import Any

import pytest

from sidegate import Cache
from tests.support.apps.clients import async_client
from tests.support.in_process.cluster import GENEROUS
from tests.support.processes.fleet import fleet
from tests.support.processes.memory import resident

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

BOUND = 8 << 20
BESIDES = 8 << 20  # bytes that grow beside the values: code that is run first, frames, fragments
VALUES = 100_000
AT_ONCE = 1_000


async def test_many_values_stay_within_the_bound() -> None:
    """Of two namespaces; the one that is small keeps all that it has."""
    async with fleet("a", cache_bytes=BOUND) as nodes, async_client() as http:
        node = nodes.nodes["a"]
        options: dict[str, Any] = {"ttl": "1h", "budget": GENEROUS, "sidecar": str(node.link)}
        async with Cache("small", **options) as small, Cache("flood", **options) as flood:
            for at in range(500):
                assert await small.set(at, at)
            before = resident(node.pid)
            for begin in range(0, VALUES, AT_ONCE):
                some = range(begin, begin + AT_ONCE)
                data = b"x" * (begin // AT_ONCE * 7 % 600)
                await asyncio.gather(*(flood.set(at, data) for at in some))
                if begin % (10 * AT_ONCE) == 0:
                    text = (await http.get(f"{node.url}/metrics")).text
                    (line,) = [
                        it for it in text.splitlines() if it.startswith("sidegate_cache_bytes ")
                    ]
                    assert float(line.split()[1]) <= BOUND
            assert len(await small.get_many(range(500))) == 500
            assert resident(node.pid) - before < BOUND * 5 // 4 + BESIDES
