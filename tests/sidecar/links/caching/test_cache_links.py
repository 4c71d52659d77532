"""The links of the cache: odd parts, against a real sidecar."""

from sidegate.protocol.cache_messages import PART_BYTES, CachePart
from sidegate_sidecar.links.caching.cache_links import MAX_JOINING
from tests.support.in_process.caching import caches
from tests.support.in_process.cluster import cluster

PART = b"p" * PART_BYTES
SIDES = MAX_JOINING // (16 * PART_BYTES) + 8


async def test_parts_that_are_never_finished_keep_nobody_else_from_sending() -> None:
    """Those begun first are forgotten, within the bound; who sent them is told nothing."""
    size = 16 * len(PART) + 1
    async with cluster("n1") as (node,), caches(node) as (cache,):
        links = node.cache
        assert links is not None
        for at in range(SIDES):
            for part in range(16):
                links.on_node(f"x{at}", CachePart(size, part * len(PART), PART))
                assert links.joining <= MAX_JOINING
        assert links.joining > MAX_JOINING - size
        large = b"v" * 1_000_000
        assert await cache.set("k", large)
        assert await cache.get("k") == large
        links.on_node("x0", CachePart(size, size - 1, b"p"))  # the others are forgotten
        for at in range(SIDES):
            links.node_left(f"x{at}")
        assert links.joining == 0
