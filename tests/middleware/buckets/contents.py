"""What the tests of buckets take and when, and ways to look at all that is held."""

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limit, parse_limits
from sidegate.buckets.tables.footprint import LEDGER, SLOT, SPREAD, bytes_of
from sidegate.buckets.tables.ledger import Ledger

START = 10**15
SECOND = 10**9
HOUR = 3_600 * SECOND
LATE = START + 400 * 24 * HOUR  # every bucket of these tests is full by then

ONE = parse_limits("5/second")
BOTH = parse_limits("5/second; 8/hour")
TEXTS = ["5/second", "7/second", "3/minute burst 9", "1/day", "999983/month burst 2"]


def ledgers(buckets: BucketTable) -> list[Ledger]:
    """Return all rules under all limits."""
    return [ledger for table in buckets._tables.values() for ledger in table.ledgers.values()]


def entries(buckets: BucketTable) -> list[tuple[str, str]]:
    """All that is waiting for its due time: the texts of limits, and keys."""
    return [
        (ledger.table.limit.text, key)
        for ledger in ledgers(buckets)
        for slot in ledger.due._slots.values()
        for part in (slot.head, *slot.sealed, slot.open)
        for key in part
    ]


def counted_anew(buckets: BucketTable) -> int:
    """Return what all that is there takes by its footprint, added up from nothing."""
    held = sum(bytes_of(key) for _, key in keys_by_text(buckets))
    opened = sum(LEDGER + (bytes_of(it.rule) if it.rule else 0) for it in ledgers(buckets))
    slots = sum(len(it.due._slots) for it in ledgers(buckets)) * SLOT
    spread = sum(table.shards is not None for table in buckets._tables.values()) * SPREAD
    return held + opened + slots + spread


def keys_by_text(buckets: BucketTable) -> list[tuple[str, str]]:
    """All that is in tables: the texts of limits, and keys."""
    tables = buckets._tables.items()
    return [(text, key) for text, table in tables for held in table.dicts() for key in held]


def exported(buckets: BucketTable, now: int, most: int = 100) -> list[tuple[str, Limit, int]]:
    """All buckets in debt, in one list."""
    return [entry for entries in buckets.export(now, most) for entry in entries]


def drain(buckets: BucketTable, now: int, most: int = 100) -> int:
    """Sweep until nothing is due: how many were looked at."""
    return sum(iter(lambda: buckets.sweep(now, most), 0))
