"""Exempt: which requests rules leave alone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.http.request.paths import is_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.http.patterns import Matcher
    from sidegate.http.request.paths import Readings
    from sidegate.http.request.request import Request


def is_exempt_path(matchers: Sequence[Matcher], path: str, read: Readings) -> bool:
    """Tell whether a path is exempt in all of its readings, and spelled as it should be."""
    return (
        bool(matchers)
        and is_plain(path)
        and all(any(matches(routed) for matches in matchers) for routed in read.routed)
    )


def is_preflight(request: Request) -> bool:
    """Tell whether a browser asks whether it may ask (the Fetch standard, 3.2.2)."""
    return (
        request.method == "OPTIONS"
        and bool(request.lines("origin"))
        and bool(request.lines("access-control-request-method"))
    )
