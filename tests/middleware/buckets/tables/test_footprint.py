"""Footprints against the allocator: what is counted is never less than what is taken."""

import subprocess
import sys

import pytest

# tracemalloc says what was asked for; the allocator rounds that up to 16.
MEASURE = """
import gc, sys, tracemalloc
from msgspec.msgpack import encode
from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limit, Limits, parse_limits

NOW = 10**15
HOUR = parse_limits("999983/hour burst 10")  # ticks that take 80 bits

def plain(buckets, count):
    for at in range(count):
        buckets.take(f"api:{at:020}", HOUR, 1, NOW)

def long(buckets, count):
    for at in range(count):
        buckets.take(f"api:{at:0508}", HOUR, 1, NOW)

def wide(buckets, count):
    for at in range(count):
        key = "🂡" * 120 + f"{at:020}"
        encode(key)  # which the str keeps
        buckets.take(key, HOUR, 1, NOW)

def greek(buckets, count):
    for at in range(count):
        key = "ΣΩ" * 20 + f"{at:020}"
        encode(key)  # which the str keeps
        buckets.take(key, HOUR, 1, NOW)

def rules(buckets, count):
    for at in range(count // 100):
        buckets.take(f"rule{at}:key", HOUR, 1, NOW)

def limits(buckets, count):
    for at in range(count // 100):
        buckets.take(f"api:{at}", Limits([Limit(999_983, 3_600 + at, 10)]), 1, NOW)

def times(buckets, count):
    week = parse_limits("1000000/week")
    for at in range(count // 100):
        buckets.take(f"api:{at}", week, 1 + 2 ** (at % 20) + at, NOW)

def shrunk(buckets, count):
    ten = parse_limits("10/hour")
    for at in range(count):
        buckets.take(f"api:{at:020}", ten, 1 + 9 * (at % 50 == 0), NOW)
    while buckets.sweep(NOW + 500 * 10**9, 1_000):
        pass

fill = globals()[sys.argv[1]]
fill(BucketTable(), 1_000)  # what is made once
gc.collect()
tracemalloc.start()
buckets = BucketTable()
empty = tracemalloc.get_traced_memory()[0]
fill(buckets, int(sys.argv[2]))
gc.collect()
print(tracemalloc.get_traced_memory()[0] - empty, buckets.bytes)
"""


@pytest.mark.parametrize("count", [33_000])
@pytest.mark.parametrize(
    "shape", ["plain", "long", "wide", "greek", "rules", "limits", "times", "shrunk"]
)
def test_what_is_counted_is_no_less_than_what_is_taken(shape: str, count: int) -> None:
    """For keys of all kinds, many rules, limits and due times, and a table that was larger."""
    command = [sys.executable, "-c", MEASURE, shape, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    taken, counted = map(int, done.stdout.split())
    assert taken <= counted
