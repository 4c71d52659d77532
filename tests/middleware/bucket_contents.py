"""Ways to look at all that Buckets holds."""

from sidegate.buckets import Buckets
from sidegate.limits import Limit


def entries(buckets: Buckets) -> list[tuple[str, str]]:
    """All that is waiting for its due time: the texts of limits, and keys."""
    slots = buckets._due._slots.values()
    flat = [item for slot in slots for part in (*slot.sealed, slot.open) for item in part]
    return list(zip(flat[::2], flat[1::2], strict=True))


def keys_by_text(buckets: Buckets) -> list[tuple[str, str]]:
    """All that is in tables: the texts of limits, and keys."""
    tables = buckets._tables.items()
    return [(text, key) for text, table in tables for held in table.dicts() for key in held]


def exported(buckets: Buckets, now: int, most: int = 100) -> list[tuple[str, Limit, int]]:
    """All buckets in debt, in one list."""
    return [entry for entries in buckets.export(now, most) for entry in entries]


def drain(buckets: Buckets, now: int, most: int = 100) -> int:
    """Sweep until nothing is due: how many were looked at."""
    return sum(iter(lambda: buckets.sweep(now, most), 0))
