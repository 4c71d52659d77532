"""Metrics of the cache, read off it when scraped. Without a cache there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.cache_messages import CacheState
from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from sidegate_sidecar.links.caching.cache_links import CacheLinks


def cache_metrics(cache: CacheLinks) -> Iterator[Metric]:
    """Give the metrics of a node's cache."""
    node, queues = cache.node, cache.queues
    owner, counts = node.owner, node.owner.counts
    store = owner.store
    yield gauge("cache_values", "Values held.", len(store))
    text = "What they take of the memory, as it is counted for the bound."
    yield gauge("cache_bytes", text, store.bytes)
    yield gauge("cache_max_bytes", "What they may take; at it, some are evicted.", store.max_bytes)
    text = "Keys that were asked for, here as their owner, by what was answered at first."
    answers = {(_WORDS[state],): counts.answers[state] for state in _WORDS}
    yield counter("cache_answers", text, ("answer",), answers)
    text = "Values that were brought: kept, or refused since they were too old, or too large."
    fates = {("kept",): counts.kept, ("refused",): counts.refused}
    yield counter("cache_values_brought", text, ("fate",), fates)
    text = "Values that were evicted before their time, since no more fitted."
    yield counter("cache_evicted", text, (), {(): store.evicted})
    text = "Values that were deleted or cleared."
    yield counter("cache_removed", text, (), {(): counts.removed})
    yield gauge("cache_fills", "Leases to fill a value that are held.", len(owner.fills))
    yield gauge("cache_waiting", "Who waits for a value to be filled.", owner.fills.waiting)
    text = "Leases that went to who had waited, since their holder was gone or too slow."
    yield counter("cache_leases_passed_on", text, (), {(): counts.granted})
    text = "Keys that apps asked for whose owner could not be asked."
    yield counter("cache_lost_answers", text, (), {(): counts.lost})
    text = "Values by what became of them when the ring changed: given away, or taken over."
    moved = {("given",): counts.handed_over, ("taken",): counts.taken_over}
    yield counter("cache_handed_over_values", text, ("side",), moved)
    yield gauge("cache_queued_bytes", "Values that wait to be sent.", queues.bytes)
    text = "Values that weren't sent, since too many waited."
    yield counter("cache_queue_refusals", text, (), {(): queues.refused})


_WORDS = {
    CacheState.HIT: "hit",
    CacheState.STALE: "stale",
    CacheState.STALE_FILL: "stale-fill",
    CacheState.FILL: "fill",
    CacheState.WAIT: "wait",
    CacheState.MISS: "miss",
}
