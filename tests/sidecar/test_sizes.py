"""Bytes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.sizes import parse_size, size_text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("268435456", 268_435_456),
        ("256MiB", 256 << 20),
        ("256Mi", 256 << 20),
        ("256 mib", 256 << 20),
        ("1GiB", 1 << 30),
        ("64KiB", 64 << 10),
        ("500MB", 500_000_000),
        ("500M", 500_000_000),
        ("2k", 2_000),
        ("10B", 10),
    ],
)
def test_units_are_those_of_kubernetes_with_or_without_a_b(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "1.5GiB", "-1", "1TiB", "1e6", "256MiBs", "9" * 16])
def test_anything_else_is_an_error_that_shows_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r'expected bytes, such as "256MiB", "1GiB" or "500MB"'):
        parse_size(text)


@given(st.integers(0, 10**15 - 1) | st.integers(1, 1_000).map(lambda it: it << 20))
def test_a_size_that_is_written_is_read_as_the_same(count: int) -> None:
    assert parse_size(size_text(count)) == count
