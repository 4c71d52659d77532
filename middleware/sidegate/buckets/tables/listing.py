"""Listing: the keys and buckets of tables in short lists, while these go on changing."""

from collections.abc import Iterable, Iterator
from math import ceil

from sidegate.buckets.limits import Limit
from sidegate.buckets.tables.shards import Table

_SAMPLED_FROM = 8  # keys that a sample looks at, for each that it takes: 1 ms at 1,000,000 keys


def all_keys(tables: Iterable[Table], most: int) -> Iterator[tuple[str, list[str]]]:
    """Give all keys in lists of at most `most`, each with the text of its limit."""
    for table in tables:
        for held in table.dicts():
            keys = list(held)  # at most 16,000 of 1,000,000
            for start in range(0, len(keys), most):
                yield table.limit.text, keys[start : start + most]


def some_keys(tables: Iterable[Table], share: float) -> Iterator[tuple[str, list[str]]]:
    """Give about that share of the keys, old and new ones alike.

    A dict of a table holds a share of its keys by chance, so a few dicts stand for all; but in
    each the keys are in the order in which they came.
    """
    for table in tables:
        dicts = table.dicts()
        looked_at = dicts[: ceil(len(dicts) * min(share * _SAMPLED_FROM, 1.0))]
        total = max(sum(map(len, looked_at)), 1)
        for keys in map(list, looked_at):
            count = min(ceil(len(keys) * table.size * share / total), len(keys))
            yield table.limit.text, [keys[at * len(keys) // count] for at in range(count)]


def in_debt(tables: Iterable[Table], now: int, most: int) -> Iterator[list[tuple[str, Limit, int]]]:
    """Give all buckets in debt in lists of at most `most`: key, limit, debt (ns, rounded up)."""
    for table in tables:
        for held in table.dicts():
            items = list(held.items())  # at most 16,000 of 1,000,000
            for start in range(0, len(items), most):
                yield _owing(table, items[start : start + most], now)


def _owing(table: Table, items: list[tuple[str, int]], now: int) -> list[tuple[str, Limit, int]]:
    limit, scale, ticks = table.limit, table.scale, table.ticks(now)
    debts = ((key, -(-(full_at - ticks) // scale)) for key, full_at in items)
    owing = [(key, limit, debt) for key, debt in debts if debt > 0]
    if table.window is not None:
        return [(key, limit, table.window.owed(debt)) for key, limit, debt in owing]
    return owing
