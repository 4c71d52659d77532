"""What comes of a look for a value. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.protocol.cache_messages import CacheState

if TYPE_CHECKING:
    from sidegate.protocol.cache_messages import Row


class Found(NamedTuple):
    """What is there: `data` in the states that say so, a token for who is to fill."""

    state: CacheState
    data: bytes = b""
    token: int = 0
    fresh: int = 0  # microseconds

    @property
    def has_value(self) -> bool:
        """Is there a value, fresh or stale?"""
        return self.state in _VALUES


_VALUES = (CacheState.HIT, CacheState.STALE, CacheState.STALE_FILL)
LOST = Found(CacheState.LOST)


def found_in(row: Row) -> Found:
    """Return what a row of an answer says."""
    _, state, fresh, token, data = row
    return Found(state, data, token, fresh)
