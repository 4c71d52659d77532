"""A prefix walk: all buckets whose keys begin with a text are made full, in slices. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.buckets import BucketTable

LOOKED_AT = 4_000  # keys in a slice: 0.25 ms
FILLED = 200  # buckets made full in a slice: 0.3 ms


class PrefixWalk:
    """One walk through a table, for the reset of that number; `owns` tells whose a key is."""

    def __init__(
        self, number: int, prefix: str, table: BucketTable, owns: Callable[[str], bool]
    ) -> None:
        self.number = number
        self.prefix = prefix
        self.forgotten = 0
        """Buckets in debt that this node owns and has made full."""
        self.lasts = 0
        """For how long (ns) a copy of a bucket that was made full may be in debt."""
        self._table = table
        self._owns = owns
        self._rest = table.keys(LOOKED_AT)
        self._text = ""
        self._found: list[str] = []  # under that limit, still to be made full

    def slice(self, now: int) -> bool:
        """Look at some more keys, or make some more buckets full; False if there are no more."""
        if not self._found:
            piece = next(self._rest, None)
            if piece is None:
                return False
            (self._text, keys), prefix = piece, self.prefix
            self._found = [key for key in keys if key.startswith(prefix)]
        some = self._found[-FILLED:]
        del self._found[-FILLED:]
        if full := self._table.fill(self._text, some, now):
            [limit] = parse_limits(self._text).items
            self.lasts = max(self.lasts, self._table.lasts(limit, now))
            self.forgotten += sum(map(self._owns, full))
        return True
