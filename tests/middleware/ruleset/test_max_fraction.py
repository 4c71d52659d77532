"""What part of a burst one reservation may hold, as a rule says it."""

import pytest

from sidegate.ruleset.canonical.fractions import fraction_of
from sidegate.ruleset.invalid import RulesError
from sidegate.ruleset.ruleset import decode_rules, read_rules


def said(fraction: object) -> object:
    """Return a file that says this."""
    return {
        "version": 1,
        "rules": [{"name": "llm", "limits": "1000/day", "max_fraction": fraction}],
    }


@pytest.mark.parametrize(("given", "meant"), [("50 %", 0.5), (" 100%", 1.0), ("1 %", 0.01)])
def test_a_rule_may_say_it(given: str, meant: float) -> None:
    rules = read_rules(said(given))
    assert fraction_of(rules.by_name["llm"].entry.max_fraction) == meant
    assert decode_rules(rules.encoded) == rules


def test_what_all_may_hold_is_as_if_nothing_was_said() -> None:
    nothing = {"version": 1, "rules": [{"name": "llm", "limits": "1000/day"}]}
    assert read_rules(said("100 %")).digest == read_rules(nothing).digest


@pytest.mark.parametrize(
    "wrong", ["0 %", "101 %", "50", "half", "1e1 %", "\N{SUPERSCRIPT TWO} %", 0.5, 50, None]
)
def test_anything_else_is_named_with_what_was_expected(wrong: object) -> None:
    with pytest.raises(RulesError) as caught:
        read_rules(said(wrong))
    assert "max_fraction" in str(caught.value)
    assert "expected" in str(caught.value)
