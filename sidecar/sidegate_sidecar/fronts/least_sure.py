"""Who has decided, where several limits of one request were decided by several. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAST_SURE: Final = (Source.CLOSED, Source.OPEN, Source.LOCAL, Source.BACKUP, Source.OWNER)

ALONE: Final = frozenset({Source.OPEN, Source.CLOSED, Source.LOCAL})
"""Sources of decisions that nobody who knows the bucket has made."""


def least_sure(sources: Iterable[Source]) -> Source | None:
    """Return the one that is least sure of it, None of none."""
    return min(sources, key=_LEAST_SURE.index, default=None)
