"""Limits with `sync`: one mark in their text, which a release that doesn't know it reads over."""

import pytest

from sidegate.buckets.limits import CARRYING, SYNC, UNSENT_PART, parse_limits

LIMIT = "100/minute"


@pytest.mark.parametrize("carries", [False, True])
def test_the_text_that_a_check_has_says_it(carries: bool) -> None:
    limits = parse_limits(CARRYING + LIMIT if carries else LIMIT)
    synced = limits.synced()
    assert (limits.sync, synced.sync, synced.carries) == (False, True, carries)
    assert synced.text == limits.text
    assert synced.asked == CARRYING * carries + SYNC + LIMIT
    assert parse_limits(synced.asked) == synced
    assert synced.synced() is synced


def test_it_stays_when_limits_begin_to_carry_or_stand_apart() -> None:
    synced = parse_limits(LIMIT).synced()
    assert synced.carrying().sync
    assert synced.carrying().apart().sync


def test_limits_with_it_are_others() -> None:
    """What is remembered by limits is asked as they say."""
    assert parse_limits(LIMIT).synced() != parse_limits(LIMIT)
    assert parse_limits(LIMIT).synced() == parse_limits(f"{SYNC}100 per minute")


def test_it_is_white_space_to_who_does_not_know_it() -> None:
    assert SYNC.isspace()
    assert (CARRYING + SYNC + LIMIT).strip() == LIMIT


def test_nothing_is_lent_of_them() -> None:
    """An owner's backup doesn't know what is lent."""
    assert parse_limits(LIMIT).may_lease
    assert not parse_limits(LIMIT).synced().may_lease
    assert not parse_limits(LIMIT).synced().carrying().may_lease


def test_a_share_is_answered_by_who_gives_it() -> None:
    assert not parse_limits(LIMIT).synced().divided(4).sync


@pytest.mark.parametrize(
    ("limits", "tokens"),
    [
        ("5/minute", 0),
        ("1000/hour", 1_000 // UNSENT_PART),
        ("1000/hour; 64/minute", 1),
        ("200000/hour", 200_000 // UNSENT_PART),
    ],
)
def test_so_many_tokens_may_be_unsent(limits: str, tokens: int) -> None:
    assert parse_limits(limits).max_unsent == tokens
