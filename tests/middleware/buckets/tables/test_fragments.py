"""Memory that is lost between keys of other lengths, and the copies that win it back."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.buckets.tables.footprint import bytes_of
from sidegate.buckets.tables.fragments import Fragments
from tests.middleware.buckets.contents import exported, keys_by_text, ledgers

START = 10**15
HOUR = parse_limits("10/hour")
SIZES = (230, 300, 740, 5_000, 9_000, 20_000)


@given(st.lists(st.sampled_from([-3, -2, -1, 0, 1, 2]), max_size=60))
def test_what_is_lost_is_what_was_there_at_most_less_what_is_there(moves: list[int]) -> None:
    """By sizes: what goes and comes again in the same one loses nothing."""
    fragments, held, most = Fragments(), Counter[int](), Counter[int]()
    for move in moves:
        size = SIZES[move]
        if held[size] and move % 2:
            held[size] -= 1
            fragments.leave(size)
        else:
            held[size] += 1
            fragments.enter(size)
        most |= held
        if not any(at > 8_192 for at in most):  # those count as one size
            assert fragments.lost == sum((most[it] - held[it]) * it for it in most)
    fragments.mend()
    assert fragments.lost == 0


def places(buckets: BucketTable) -> dict[str, int]:
    """Return where in memory the keys of the due times are."""
    return {
        key: id(key)
        for ledger in ledgers(buckets)
        for slot in ledger.due._slots.values()
        for part in (slot.head, *slot.sealed, slot.open)
        for key in part
    }


def fill(buckets: BucketTable, length: int, count: int) -> None:
    for at in range(count):
        key = f"api:{at:06}{'k' * length}"
        buckets.take(key, HOUR, 1 if at % 50 else 10, START)


def test_after_keys_of_other_lengths_came_and_went_all_are_copied() -> None:
    """Those that stay, in the table and in its due times: both hold the very same str."""
    buckets = BucketTable(1 << 20)
    fill(buckets, 0, 3_000)
    stay = [key for key, _, debt in exported(buckets, START) if debt == 3_600 * 10**9]
    before = places(buckets)
    for length in (40, 90, 150, 220):
        fill(buckets, length, 3_000)
        assert buckets._accounts.fragments.lost <= buckets.max_memory * 3 // 8
    after = places(buckets)
    assert all(before[key] != after[key] for key in stay)
    in_table = {key: id(key) for _, key in keys_by_text(buckets)}
    assert in_table == after
    assert buckets.bytes <= 1 << 20


def test_a_flood_of_keys_of_one_length_copies_nothing() -> None:
    """What goes makes room for what comes: that is the usual one, and costs no more."""
    buckets = BucketTable(1 << 20)
    fill(buckets, 0, 3_000)
    before = places(buckets)
    for at in range(20_000):
        buckets.take(f"api:{at + 100_000}", HOUR, 1, START)
    after = places(buckets)
    assert all(after[key] == before[key] for key in after if key in before)
    assert buckets._copying is None


def test_sizes_are_told_apart_where_the_allocator_does() -> None:
    """It rounds up 48 bytes, the characters, and a zero: 15 and 16 of them are two sizes."""
    for length in range(0, 200, 16):
        sizes = [bytes_of("k" * (length + more)) >> 4 for more in (0, 1, 15, 16)]
        assert sizes[0] == sizes[1] == sizes[2] == sizes[3] - 1


def test_what_is_owed_is_the_same_while_keys_are_copied() -> None:
    """A bucket may be taken from, looked at and forgotten at any moment of it."""
    buckets = BucketTable(1 << 20)
    limits = parse_limits("100/day")
    for at in range(300):
        buckets.take(f"login:{at}", limits, 1 + at % 100, START)
    for length in (0, 100, 200, 300, 400):
        fill(buckets, length, 2_500)
        for at in range(300):
            assert buckets.take(f"login:{at}", limits, 0, START)[1] == [
                (1 + at % 100) * 864 * 10**9
            ]
    assert all(bytes_of(key) < 1_000 for _, key in keys_by_text(buckets))
