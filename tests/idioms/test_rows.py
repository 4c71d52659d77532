"""All 38 idioms are there, at least 36 are a yes, each other has its reason."""

from collections import Counter
from pathlib import Path

from tests.idioms.rows import ROWS, Answer

PAGE = Path(__file__).parents[2] / "docs" / "apps" / "coming-from.md"


def test_all_rows_are_there() -> None:
    assert len({row.idiom for row in ROWS}) == len(ROWS) == 38


def test_at_least_36_are_a_yes_and_the_others_have_their_reason() -> None:
    assert Counter(row.answer for row in ROWS)[Answer.YES] >= 36
    assert [row for row in ROWS if (row.answer is Answer.YES) == bool(row.why)] == []


def test_the_page_for_who_comes_over_has_each_row_with_the_same_answer() -> None:
    lines = [line.split(" | ") for line in PAGE.read_text("utf-8").splitlines() if "|" in line]
    told = {cells[0].removeprefix("| "): cells[-1] for cells in lines}
    assert {row.idiom for row in ROWS} - told.keys() == set()
    for row in ROWS:
        assert ("**no**" in told[row.idiom].lower()) == (row.answer is Answer.NO)
        assert ("**awkward**" in told[row.idiom].lower()) == (row.answer is Answer.AWKWARD)
