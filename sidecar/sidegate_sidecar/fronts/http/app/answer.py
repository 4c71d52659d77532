"""What an answer over HTTP says about who decided it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source

if TYPE_CHECKING:
    from collections.abc import Mapping


def source_of(headers: Mapping[str, str]) -> Source | None:
    """Return who decided by the headers (names in any case); None when no limit was applied.

    A source that isn't known, of a later release, counts as none.
    """
    if "ratelimit-policy" not in headers:
        return None
    try:
        return Source(headers.get("sidegate-source", Source.OWNER))
    except ValueError:
        return None
