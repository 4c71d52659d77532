"""A report says what an answer says, in the words that people ask in."""

import pytest

from sidegate import UnknownRule
from sidegate.protocol.report_messages import By, ReportAnswer, ReportQuery, ReportRow
from sidegate.reports.report import (
    KeySums,
    MomentSums,
    NodeSums,
    ReportNodes,
    ReportSums,
    RuleSums,
    SourceSums,
    report_of,
)

SUMS = [5, 4, 0, 1, 9]
NAMED = {"allowed": 5, "denied": 4, "shadowed": 0, "errors": 1, "cost": 9}


def answer(*rows: ReportRow) -> ReportAnswer:
    return ReportAnswer(1, 2, 3, ["c"], 330, 7, SUMS, list(rows))


def asked(by: By, last: int = 300) -> ReportQuery:
    return ReportQuery(1, 0, last, "api", by, 20)


def test_it_says_what_was_asked_and_who_answered() -> None:
    report = report_of(asked("key"), answer(("api:k", "a", [9, 2, 4, 1])), 0.0)
    assert (report.last, report.covers, report.rule, report.by) == (300.0, 330.0, "api", "key")
    assert report.nodes == ReportNodes(2, 3, ["c"])
    assert report.error == 7
    assert report.totals == ReportSums(**NAMED)
    assert report.rows == [
        KeySums(key="api:k", rule="api", node="a", asked=9, asked_error=2, denied=4, denied_error=1)
    ]


def test_rows_have_the_name_of_what_they_are_of() -> None:
    def rows(by: By) -> object:
        return report_of(asked(by), answer(("x", "", SUMS)), 0.0).rows

    assert rows("rule") == [RuleSums(rule="x", **NAMED)]
    assert rows("source") == [SourceSums(source="x", **NAMED)]
    assert rows("node") == [NodeSums(node="x", **NAMED)]


@pytest.mark.parametrize(("last", "begins"), [(300, 1_000_061), (7_200, 999_960)])
def test_moments_have_the_time_when_they_began(last: int, begins: int) -> None:
    report = report_of(asked("time", last), answer(("60", "", SUMS)), 1_000_121.7)
    assert report.rows == [MomentSums(time=begins + (60 if last > 600 else 0), **NAMED)]


def test_columns_of_a_newer_sidecar_are_left_out() -> None:
    newer = ReportAnswer(1, 1, 1, [], 60, 0, [*SUMS, 3], [("x", "", [*SUMS, 3])])
    assert report_of(asked("rule"), newer, 0.0).rows == [RuleSums(rule="x", **NAMED)]


def test_a_rule_that_no_node_has_is_an_error_that_names_those_they_have() -> None:
    unknown = ReportAnswer(1, 1, 1, [], 60, 0, [0] * 5, [], ["login", "other"])
    with pytest.raises(UnknownRule, match=r'^rule "api": .* they have "login", "other"$') as raised:
        report_of(asked("key"), unknown, 0.0)
    assert (raised.value.rule, raised.value.known) == ("api", ["login", "other"])
