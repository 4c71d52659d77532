"""Rings: the next one from the last, and what of a table is whose on one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sidegate.buckets.buckets import BucketTable
    from sidegate_ring.hashring import Ring


SAMPLE = 1_000  # buckets looked at to say how many are whose: half a millisecond
SLICE = 100  # buckets counted between two looks at the sockets: 0.1 ms


def next_ring(ring: Ring, names: tuple[str, ...], zones: Mapping[str, str]) -> Ring:
    """Return the ring of these nodes in these zones, with the points and hashes of the last one."""
    return ring.of_nodes(names).zoned(zones)


def held_on(ring: Ring, name: str, table: BucketTable) -> tuple[int, int]:
    """Return how many buckets a node holds as owner and as backup; of many, an estimate."""
    counted = owned = backed_up = 0
    for _, keys in table.sample(SAMPLE):
        for key in keys:
            owner, backup = ring.pair_at(ring.place(key))
            owned += owner == name
            backed_up += backup == name
        counted += len(keys)
    share = len(table) / counted if counted else 0
    return round(owned * share), round(backed_up * share)


def taken_of(
    ring: Ring, name: str, table: BucketTable, owed: Collection[tuple[str, str]], now: int
) -> Iterator[tuple[int, int]]:
    """Count the buckets in debt that a node owns on a ring, a slice at a time.

    Gives how many of a slice others have merged, and how many they haven't: those that are still
    `owed` to them, by text of the limit and key.
    """
    for text, keys in table.keys(SLICE):
        found, _ = table.debts(text, keys, now, 0)
        mine = [key for key in found if ring.pair_at(ring.place(key))[0] == name]
        missing = sum((text, key) in owed for key in mine) if owed else 0
        yield len(mine) - missing, missing
