"""The grammar of limits, their canonical form, and what is wrong with one that isn't."""

import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets import limits as module
from sidegate.buckets.limits import Limit, Limits, parse_limits
from sidegate.errors import LimitError, SidegateError

UNITS = "expected second, minute, hour, day, week, month or year (or s, m, h, d, w)"
DAY = 86_400


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        # limits and slowapi
        ("10/second", "10/second"),
        ("10 per minute", "10/minute"),
        ("100/5 minutes", "100/5 minutes"),
        ("100/5minute", "100/5 minutes"),
        ("100/day;10/hour;1/minute", "100/day; 10/hour; 1/minute"),
        ("10/second, 5/minute", "10/second; 5/minute"),
        ("10/second|5/minute", "10/second; 5/minute"),
        ("10PER3MONTHS", "10/3 months"),
        ("1/year", "1/year"),
        # Django REST framework
        ("60/min", "60/minute"),
        ("1000/day", "1000/day"),
        ("5/sec", "5/second"),
        # django-ratelimit
        ("5/m", "5/minute"),
        ("100/5m", "100/5 minutes"),
        ("100/300s", "100/5 minutes"),
        ("7/h", "7/hour"),
        ("7/d", "7/day"),
        # ours
        ("1/week", "1/week"),
        ("1/w", "1/week"),
        ("2/3 mins", "2/3 minutes"),
        ("10/second burst 20", "10/second burst 20"),
        ("10 / second  BURST20", "10/second burst 20"),
        ("10/2m burst 5 | 1/h", "10/2 minutes burst 5; 1/hour"),
        (" 10/second\n", "10/second"),
        ("10/5\u00a0minutes", "10/5 minutes"),  # copied from a web page
        ("010/01 second", "10/second"),
        # nothing passes
        ("0/minute", "0/minute"),
        ("0/5 seconds; 5/hour", "0/5 seconds; 5/hour"),
        # what is said twice is said once
        ("10/second burst 10", "10/second"),
        ("10/60 seconds", "10/minute"),
        ("10/90 seconds", "10/90 seconds"),
        ("10/24 hours", "10/day"),
        ("10/7 days", "10/week"),
        ("10/30 days", "10/month"),
        ("10/365 days", "10/year"),
        ("10/14 days", "10/2 weeks"),
        ("10/12 months", "10/12 months"),  # 360 days, so no year
        ("10/4 weeks", "10/4 weeks"),  # 28 days, so no month
    ],
)
def test_every_spelling_that_people_know_has_one_canonical_form(text: str, canonical: str) -> None:
    """Limits of slowapi, DRF and django-ratelimit can be copied over as they are."""
    assert str(parse_limits(text)) == canonical
    assert str(parse_limits(canonical)) == canonical


NOTHING = 'nothing here, expected a limit such as "100/minute"'
NO_TOKENS = 'expected a whole number of tokens first, as in "100/minute"'
FRACTION = "a fraction, expected whole numbers"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", NOTHING),
        ("10/fortnight", f'unknown unit "fortnight", {UNITS}'),
        ("5/ms", f'unknown unit "ms", {UNITS}'),
        ("10/", f'no unit after "/", {UNITS}'),
        ("100/300", f'no unit after "/300", {UNITS}'),
        ("10 per 5", f'no unit after "per5", {UNITS}'),
        ("1.5/second", FRACTION),
        ("10/1.5 minutes", FRACTION),
        ("10/second burst 1.5", FRACTION),
        ("10", 'expected "/" or "per" after "10"'),
        ("10 minutes", 'expected "/" or "per" after "10"'),
        ("ten/s", NO_TOKENS),
        ("-1/s", NO_TOKENS),
        ("/s", NO_TOKENS),
        ("\u0663/s", NO_TOKENS),
        ("10/minute 5/second", 'expected ";", "burst 20" or "window" after "minute"'),
        ("10/second 20", 'expected ";", "burst 20" or "window" after "second"'),
        ("10/second.", 'expected ";", "burst 20" or "window" after "second"'),
        ("10/second burst", 'expected a whole number of tokens after "burst"'),
        ("0/s burst 5", "a burst of 5 without tokens to refill it"),
        ("1/s burst 0", "a burst of 0, expected 1 to 1000000000000"),
        ("1000000000001/s", "1000000000001 tokens, expected 0 to 1000000000000"),
        ("10/0 minutes", "a window of 0 seconds, expected 1 second to 146 years"),
        ("1/147 years", "a window of 4635792000 seconds, expected 1 second to 146 years"),
        ("1/day burst 60000", "a burst of 60000 would take more than 146 years to refill"),
        ("1/s,2/s,3/s,4/s,5/s,6/s,7/s,8/s,9/s", "expected at most 8 limits, not 9"),
    ],
)
def test_an_error_names_the_limit_and_what_was_expected(text: str, wrong: str) -> None:
    """Whoever wrote the limit can mend it with nothing but the message."""
    with pytest.raises(LimitError) as caught:
        parse_limits(text)
    assert str(caught.value) == f'limit "{ascii(text)[1:-1]}": {wrong}'


@pytest.mark.parametrize(
    ("text", "part", "wrong"),
    [
        ("5/s;", "", NOTHING),
        ("5/s;;6/m", "", NOTHING),
        ("5/s; 10/fortnight", "10/fortnight", f'unknown unit "fortnight", {UNITS}'),
        ("5/m; 5/60s", "5/60s", 'the same as "5/minute" before it'),
    ],
)
def test_of_several_the_one_that_is_wrong_is_named(text: str, part: str, wrong: str) -> None:
    with pytest.raises(LimitError) as caught:
        parse_limits(text)
    assert str(caught.value) == f'limit "{part}" in "{text}": {wrong}'


def test_a_long_text_is_refused_and_cut_in_the_message() -> None:
    """A text of any size costs no more than a line of a log."""
    with pytest.raises(LimitError, match="expected at most 1024 characters") as caught:
        parse_limits("1/s;" * 10_000)
    assert len(str(caught.value)) < 150


def test_numbers_of_any_length_are_refused() -> None:
    """A number too long for int() to read is no other kind of error."""
    with pytest.raises(LimitError, match="expected 0 to"):
        parse_limits("9" * 1_000 + "/s")


def test_an_error_is_a_value_error_with_fields_and_survives_pickling() -> None:
    """It can be caught as what it is, and cross a process."""
    with pytest.raises(LimitError) as caught:
        parse_limits("5/s; 1/eon")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, LimitError)
    assert issubclass(LimitError, SidegateError)
    assert issubclass(LimitError, ValueError)
    assert (copy.part, copy.text, str(copy)) == ("1/eon", "5/s; 1/eon", str(caught.value))


@given(st.text(max_size=30) | st.text("0123456789/perburst ;.smhdw", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        limits = parse_limits(text)
    except LimitError:
        return
    assert str(parse_limits(str(limits))) == str(limits)


def limit_strategy() -> st.SearchStrategy[Limit]:
    windows = st.integers(1, 10_000) | st.sampled_from(
        [n * unit for n in (1, 2, 5, 12, 60) for unit in (60, 3_600, DAY, 7 * DAY, 30 * DAY)]
    )
    return st.builds(Limit, st.integers(1, 10_000), windows, st.none() | st.integers(1, 29))


@given(st.lists(limit_strategy(), min_size=1, max_size=8, unique=True).map(Limits))
def test_what_is_written_reads_the_same(limits: Limits) -> None:
    again = parse_limits(str(limits))
    assert again == limits
    assert again.items == limits.items
    assert hash(again) == hash(limits)


@given(limit_strategy())
def test_a_token_is_a_whole_number_of_ticks_and_scale_ticks_are_a_nanosecond(limit: Limit) -> None:
    assert Fraction(limit.interval, limit.scale) == Fraction(limit.window * 10**9, limit.tokens)
    assert limit.capacity == limit.burst * limit.interval


@given(limit_strategy(), st.integers(1, 29))  # 29 times 5 years is a window still
def test_a_share_refills_at_exactly_its_part_of_the_rate(limit: Limit, parts: int) -> None:
    """Nodes that decide alone admit together what one would, but for a burst too small to share."""
    share = limit.divided(parts)
    assert Fraction(share.tokens, share.window) * parts == Fraction(limit.tokens, limit.window)
    assert share.burst == max(1, limit.burst // parts)
    assert parse_limits(str(share)).items == (share,)


@pytest.mark.parametrize(
    ("text", "parts", "share"),
    [
        ("100/minute", 1, "100/minute"),
        ("100/minute", 2, "50/minute"),
        ("100/minute", 3, "100/3 minutes burst 33"),
        ("10/second burst 20", 4, "5/2 seconds"),
        ("1/year", 3, "1/3 years"),
        ("1/year", 1_000, "1/4611686018 seconds"),  # 146 years, the longest there is
        ("10/second; 20/second", 20, "1/2 seconds; 1/second"),
        ("10/minute burst 5; 10/minute burst 4", 6, "5/3 minutes burst 1"),
    ],
)
def test_a_share_is_a_limit_and_equal_ones_are_one(text: str, parts: int, share: str) -> None:
    assert str(parse_limits(text).divided(parts)) == share


def test_a_share_is_made_once_and_the_whole_is_none() -> None:
    """In an outage each check asks for it; to divide anew took ten times as long as to decide."""
    limits = parse_limits("100/second; 10000/hour")
    assert limits.divided(1) is limits
    assert limits.divided(3) is limits.divided(3) is Limits(limits.items).divided(3)
    assert limits.divided(3) is not limits.divided(4)


def test_shares_that_are_remembered_are_bounded() -> None:
    for parts in range(2, module.MAX_TEXTS + 100):
        parse_limits("1/second").divided(parts)
        assert len(module._divided) <= module.MAX_TEXTS


def test_limits_are_a_collection_that_knows_its_smallest_burst() -> None:
    limits = parse_limits("10/second burst 20; 100/minute; 7/day burst 15")
    assert len(limits) == 3
    assert [limit.burst for limit in limits] == [20, 100, 15]
    assert limits.smallest_burst == 15


def test_answers_come_in_the_order_of_the_limits_so_another_is_another_text() -> None:
    assert parse_limits("1/s; 2/m") != parse_limits("2/m; 1/s")


@pytest.mark.parametrize("count", [0, 9])
def test_none_or_too_many_are_refused_in_code_too(count: int) -> None:
    with pytest.raises(LimitError, match=f"^expected 1 to 8 limits, not {count}$"):
        Limits(Limit(tokens, 1) for tokens in range(1, count + 1))


def test_the_same_limit_twice_is_refused_in_code_too() -> None:
    with pytest.raises(LimitError, match=r"^the same limit is given twice$"):
        Limits([Limit(5, 60), Limit(5, 60, 5)])


def test_a_text_is_read_once() -> None:
    """To ask for the limits of every check costs no more than to look them up."""
    assert parse_limits("11/minute") is parse_limits("11/minute")


def test_texts_are_remembered_up_to_a_bound() -> None:
    """Limits made up by the request can't fill the memory."""
    for tokens in range(1, module.MAX_TEXTS + 100):
        parse_limits(f"{tokens}/second")
        assert len(module._parsed) <= module.MAX_TEXTS
    assert str(parse_limits("1/second")) == "1/second"
