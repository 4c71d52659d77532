"""Rates as slowapi's users write them."""

import pytest

from sidegate.compat.slowapi.rates import NAMESPACE, RateLimitItem, parse_many
from sidegate.errors import LimitError


def rate(text: str) -> RateLimitItem:
    (item,) = parse_many(text)
    return item


@pytest.mark.parametrize(
    ("text", "written", "bucket", "window"),
    [
        ("5/minute", "5 per 1 minute", "5/minute", "5/minute window"),
        ("10 per hour", "10 per 1 hour", "10/hour", "10/hour window"),
        ("3 Per 2 Hours", "3 per 2 hour", "3/2 hours", "3/2 hours window"),
        ("7/30seconds", "7 per 30 second", "7/30 seconds", "7/30 seconds window"),
        ("60/60 seconds", "60 per 60 second", "60/minute", "60/minute window"),
        ("2/month", "2 per 1 month", "2/month", "2/month window"),
        ("0/day", "0 per 1 day", "0/day", "0/day window"),
    ],
)
def test_a_rate(text: str, written: str, bucket: str, window: str) -> None:
    item = rate(text)
    assert (str(item), item.bucket.text, item.window.text) == (written, bucket, window)


def test_several_rates() -> None:
    assert [str(it) for it in parse_many("1/second; 5 per minute,10/hour | 20/day")] == [
        "1 per 1 second",
        "5 per 1 minute",
        "10 per 1 hour",
        "20 per 1 day",
    ]


def test_order_and_equality_are_of_the_unit_and_of_all() -> None:
    assert rate("1000/second") < rate("1/minute") < rate("1/year")
    assert rate("5/minute") == rate("5 per 1 minute") != rate("5/2 minutes")
    assert len({rate("5/minute"), rate("5 per minute")}) == 1


def test_the_key_is_that_of_the_library_limits() -> None:
    assert rate("5/2 hours").key_for(b"me", "/t", 7) == f"{NAMESPACE}/me//t/7/5/2/hour"
    assert rate("5/2 hours").get_expiry() == 7_200


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5/fortnight", "5/fortnight"),
        ("five/minute", "five/minute"),
        ("5/minute;", "5/minute;"),
        ("1.5/minute", "1.5/minute"),
        ("1/999 years", "146 years"),
        ("9" * 20 + "/minute", "9" * 20),
        (5, "5"),
        (None, "None"),
        ("5/minute;" * 1_000, "1,024"),
    ],
)
def test_what_is_no_rate_is_named(text: object, says: str) -> None:
    with pytest.raises(LimitError) as caught:
        parse_many(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 2_000
