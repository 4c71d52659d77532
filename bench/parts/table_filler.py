"""Fills a table of buckets in a fresh process: `python -m bench.parts.table_filler KEYS`."""

from __future__ import annotations

import os
import sys
import time

from bench.lab.processes import resident_bytes
from bench.plan import HELD_LIMIT, key_names
from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits


def main() -> None:
    """Print by how many bytes the RSS grew; the names of the keys are the table's to hold."""
    count = int(sys.argv[1])
    limits = parse_limits(HELD_LIMIT)
    buckets = BucketTable()
    before = resident_bytes(os.getpid())
    for key in key_names(count):
        buckets.take(key, limits, 1, time.monotonic_ns())
    print(resident_bytes(os.getpid()) - before, len(buckets))


if __name__ == "__main__":
    main()
