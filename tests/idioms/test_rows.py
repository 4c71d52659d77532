"""All 38 idioms are there, at least 36 are a yes, each other has its reason, and tests show all."""

import pkgutil
from collections import Counter
from importlib import import_module
from pathlib import Path

from tests.idioms.rows import ROWS, SHOWN, Answer

PAGE = Path(__file__).parents[2] / "docs" / "apps" / "coming-from.md"


def shown() -> set[str]:
    """Return all that some test of this folder shows."""
    names = [it.name for it in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = [import_module(f"tests.idioms.{name}") for name in names if name.startswith("test_")]
    tests = [it for module in modules for it in vars(module).values()]
    return {idiom for test in tests for idiom in getattr(test, SHOWN, ())}


def test_all_rows_are_there() -> None:
    assert len({row.idiom for row in ROWS}) == len(ROWS) == 38


def test_at_least_36_are_a_yes_and_the_others_have_their_reason() -> None:
    assert Counter(row.answer for row in ROWS)[Answer.YES] >= 36
    assert [row for row in ROWS if (row.answer is Answer.YES) == bool(row.why)] == []


def test_each_row_is_shown_by_a_test() -> None:
    assert {row.idiom for row in ROWS} - shown() == set()


def test_the_page_for_who_comes_over_has_each_row_with_the_same_answer() -> None:
    lines = [line.split(" | ") for line in PAGE.read_text("utf-8").splitlines() if "|" in line]
    told = {cells[0].removeprefix("| "): cells[-1] for cells in lines}
    assert {row.idiom for row in ROWS} - told.keys() == set()
    for row in ROWS:
        assert ("**no**" in told[row.idiom].lower()) == (row.answer is Answer.NO)
        assert ("**awkward**" in told[row.idiom].lower()) == (row.answer is Answer.AWKWARD)
