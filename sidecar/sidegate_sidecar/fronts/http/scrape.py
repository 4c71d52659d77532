"""The reply to a scrape: rendered once a second at most, and the copy sent to all who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.exposition import choose_encoder

from sidegate_sidecar.fronts.http.http11.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

FRESH_FOR = 1.0  # seconds: rendering takes 1 ms, in which no check is decided

# Two formats and no more, though the library takes any version that a scraper names: each would be
# rendered for itself.
_OPENMETRICS = "application/openmetrics-text"


class Scrape:
    """Renders the metrics of a registry. `clock` is in seconds."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock
        self._copies: dict[str, tuple[float, Reply]] = {}

    def reply(self, accept: str) -> Reply:
        """Return metrics as text for Prometheus, or as OpenMetrics to those who accept it."""
        encode, kind = choose_encoder(_OPENMETRICS if _OPENMETRICS in accept.lower() else "")
        now = self._clock()
        if kind in self._copies:
            rendered, copy = self._copies[kind]
            if now - rendered < FRESH_FOR:
                return copy
        copy = Reply(200, kind, encode(self._registry))
        self._copies[kind] = now, copy
        return copy
