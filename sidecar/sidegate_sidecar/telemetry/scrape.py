"""What a scrape is answered: rendered once a second at most, a copy for all who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

FRESH_FOR = 1.0  # seconds: rendering takes 1 ms, in which no check is decided

# Two formats and no more, though the library takes any version that a scraper names: each would be
# rendered for itself.
_OPENMETRICS = "application/openmetrics-text"


class Rendered(NamedTuple):
    """All metrics, in one of two formats."""

    content_type: str
    body: bytes


class Scrape:
    """Renders the metrics of a registry. `clock` is in seconds."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock
        self._copies: dict[str, tuple[float, Rendered]] = {}

    def render(self, accept: str) -> Rendered:
        """Return metrics as text for Prometheus, or as OpenMetrics to those who accept it."""
        encode, kind = choose_encoder(_OPENMETRICS if _OPENMETRICS in accept.lower() else "")
        now = self._clock()
        if kind in self._copies:
            rendered, copy = self._copies[kind]
            if now - rendered < FRESH_FOR:
                return copy
        copy = Rendered(kind, encode(self._registry))
        self._copies[kind] = now, copy
        return copy
