"""Parts: what was cut is joined again, and nothing else comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.parts import Joiner, cut
from sidegate.protocol.cache_messages import (
    MAX_CACHE_ROWS,
    MAX_JOINED_BYTES,
    MAX_VALUE_BYTES,
    PART_BYTES,
    CacheEntries,
    CacheGet,
    CacheMessage,
    CachePart,
    CacheSet,
    CacheState,
    CacheValues,
)
from sidegate.protocol.codec import HEADER_BYTES, WireError, encode
from sidegate.protocol.messages import MAX_KEY_BYTES, Ping

LONG_KEY = "k" * MAX_KEY_BYTES


def value(size: int) -> CacheValues:
    """Return an answer with a value of so many bytes."""
    return CacheValues(1, [(0, CacheState.HIT, 5, 0, b"v" * size)])


def joined(joiner: Joiner, message: CacheMessage) -> CacheMessage | None:
    """Return what comes of the parts of a message."""
    last = None
    for part in cut(message):
        assert isinstance(part, CachePart)
        last = joiner.add(part)
    return last


@given(size=st.integers(PART_BYTES + 1, MAX_VALUE_BYTES))
def test_what_was_cut_is_joined(size: int) -> None:
    """In parts that are short enough to be sent at once."""
    joiner = Joiner()
    assert joined(joiner, value(size)) == value(size)
    assert joiner.held == 0
    assert all(len(encode(part)) < PART_BYTES + 64 for part in cut(value(size)))


def test_short_messages_are_not_cut() -> None:
    """They stay as they are."""
    assert list(cut(CacheGet(1, 0, "n", ["k"]))) == [CacheGet(1, 0, "n", ["k"])]


def test_the_longest_messages_fit() -> None:
    """Values of the largest size, with the longest key, and many rows of the longest keys."""
    longest = "n" * 64
    for message in (
        CacheSet(2**61, 1, longest, LONG_KEY, 2**61, 2**61, 2**61, b"v" * MAX_VALUE_BYTES),
        value(MAX_VALUE_BYTES),
        CacheEntries(1, [(longest, LONG_KEY, 1, 1, 1, True, b"v" * MAX_VALUE_BYTES)]),
    ):
        assert PART_BYTES < len(encode(message)) - HEADER_BYTES <= MAX_JOINED_BYTES
        assert joined(Joiner(), message) == message
    many = CacheEntries(1, [(longest, LONG_KEY, 2**61, 2**61, 2**61, True, b"v")] * MAX_CACHE_ROWS)
    assert joined(Joiner(), many) == many
    rows = [(at, CacheState.HIT, 2**61, 2**61, b"v" * 1_000) for at in range(66)]
    assert joined(Joiner(), CacheValues(1, rows)) == CacheValues(1, rows)


def test_what_lacks_a_part_is_dropped() -> None:
    """And the next message is whole again."""
    first, *_, last = cut(value(3 * PART_BYTES))
    joiner = Joiner()
    assert isinstance(first, CachePart)
    assert isinstance(last, CachePart)
    assert joiner.add(first) is None
    assert joiner.add(last) is None
    assert joiner.held == 0
    assert joiner.add(first) is None
    assert joined(joiner, value(PART_BYTES)) == value(PART_BYTES)


def test_what_is_no_message_of_the_cache_is_refused() -> None:
    """Nor a part of parts, nor more than was said."""
    for message in (Ping(1), CachePart(1, 0, b"x")):
        body = encode(message)[HEADER_BYTES:]
        with pytest.raises(WireError, match="no place here"):
            Joiner().add(CachePart(len(body), 0, body))
    with pytest.raises(WireError, match="beyond the 3 bytes"):
        Joiner().add(CachePart(3, 0, b"1234"))
    with pytest.raises(WireError, match="not a message"):
        Joiner().add(CachePart(3, 0, b"123"))
