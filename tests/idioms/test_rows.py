"""All 38 idioms are there, at least 36 are a yes, each other has its reason."""

from collections import Counter

from tests.idioms.rows import ROWS, Answer


def test_all_rows_are_there() -> None:
    assert len({row.idiom for row in ROWS}) == len(ROWS) == 38


def test_at_least_36_are_a_yes_and_the_others_have_their_reason() -> None:
    assert Counter(row.answer for row in ROWS)[Answer.YES] >= 36
    assert [row for row in ROWS if (row.answer is Answer.YES) == bool(row.why)] == []
