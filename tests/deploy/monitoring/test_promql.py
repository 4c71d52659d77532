"""What a query reads, as the tests of the dashboard and of the alerts see it."""

import pytest

from tests.deploy.monitoring.promql import Matcher, Selector, read


def test_metrics_matchers_and_labels_are_found() -> None:
    """Functions, operators, numbers, ranges and strings are none of them."""
    query = read(
        'sum by (job, code) (rate(a_total{x="1", y=~"b|c-d"}[5m:])) / ignoring(z) group_left'
        " max(b offset 15m > bool 1.5e3) without (v)\n"
        'or label_replace(vector(0), "w", "", "", "") or f(c, d{})'
    )
    first = Selector("a_total", [Matcher("x", "=", "1"), Matcher("y", "=~", "b|c-d")])
    assert query.selectors == [first, *(Selector(name, []) for name in "bcd")]
    assert query.labels == {"job", "code", "z", "v"}
    assert query.made == {"w"}


@pytest.mark.parametrize(
    ("matcher", "named"),
    [
        (Matcher("x", "=", "a-b"), ["a-b"]),
        (Matcher("x", "!~", "a|b"), ["a", "b"]),
        (Matcher("x", "=~", ".*"), []),
        (Matcher("x", "=~", "Head.*|a"), ["a"]),
    ],
)
def test_values_that_a_matcher_names(matcher: Matcher, named: list[str]) -> None:
    """Patterns name none, alternatives are looked at one by one."""
    assert matcher.named == named


@pytest.mark.parametrize("text", ["a ? b", '{x="1"}', 'a{x="1}'])
def test_nonsense_is_refused(text: str) -> None:
    """A query that the walk doesn't understand is no query that reads nothing."""
    with pytest.raises(ValueError, match="expected"):
        read(text)
