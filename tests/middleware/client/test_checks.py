"""Questions: what may be asked, and that the rest never gets near the wire."""

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import parse_limits
from sidegate.client.checks import question
from sidegate.errors import CostError, KeyTooLong, LimitError
from sidegate.protocol.codec import HEADER_BYTES, decode, encode
from sidegate.protocol.messages import Checks

MINUTE = parse_limits("5/minute")


class Marked(str):
    """A text of a library's own kind, such as Django's SafeString."""

    __slots__ = ()


class Price(enum.IntEnum):
    SEARCH = 3


def test_limits_are_text_in_any_form_or_what_was_read_before() -> None:
    assert question("k", "5 per 60s", 1) == (("k", "5/minute", 1), MINUTE)
    assert question("k", MINUTE, 5) == (("k", "5/minute", 5), MINUTE)


def test_subclasses_of_str_and_int_become_plain_ones() -> None:
    (key, _, cost), _ = question(Marked("k"), Marked("5/minute"), Price.SEARCH)
    assert (key, type(key), cost, type(cost)) == ("k", str, 3, int)


@pytest.mark.parametrize(
    ("key", "limits", "cost", "error", "text"),
    [
        ("k", "5/eon", 1, LimitError, "eon"),
        ("k", MINUTE, 6, CostError, "cost 6: expected 0 to 5"),
        ("k", MINUTE, -1, CostError, "cost -1"),
        ("k", MINUTE, True, TypeError, "cost=True"),
        ("k" * 513, MINUTE, 1, KeyTooLong, "513"),
        ("\udc80", MINUTE, 1, UnicodeEncodeError, "surrogates"),
        (b"k", MINUTE, 1, TypeError, "key=b'k'"),
        (None, MINUTE, 1, TypeError, "key=None"),
        ("k", MINUTE, 1.0, TypeError, "cost=1.0"),
        ("k", MINUTE, "1", TypeError, "cost='1'"),
        ("k", None, 1, TypeError, "limits=None"),
        ("k", 5, 1, TypeError, "limits=5"),
    ],
)
def test_what_cannot_be_asked_is_named(
    key: Any, limits: Any, cost: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        question(key, limits, cost)


@given(st.text(), st.integers())
def test_what_passes_can_be_written(key: str, cost: int) -> None:
    try:
        check, _ = question(key, MINUTE, cost)
    except ValueError:
        return
    frame = encode(Checks(1, 0, 1, [check]))
    assert decode(frame[HEADER_BYTES:]) == Checks(1, 0, 1, [check])
