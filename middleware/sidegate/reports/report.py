"""A report: what all nodes have decided of late, as far as they have answered. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from sidegate.errors import UnknownRule
from sidegate.protocol.keys import rule_of
from sidegate.protocol.report_messages import MAX_LAST_OF_SECONDS, By, ReportAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.protocol.report_messages import ReportQuery, ReportRow


class ReportNodes(Struct, frozen=True):
    """Which nodes a report is of."""

    answered: int  #: how many have answered
    of: int  #: how many there are, with those that died within the last ten minutes
    missing: list[str]  #: names of up to 100 that haven't answered


class ReportSums(Struct, frozen=True, kw_only=True):
    """Checks by what became of them."""

    allowed: int
    denied: int
    shadowed: int  #: denied, and let through since their rule only looks
    errors: int  #: they could not be decided, such as for a cost above the burst
    cost: int  #: tokens that were charged


class RuleSums(ReportSums, frozen=True, kw_only=True):
    """Those of one rule."""

    rule: str


class SourceSums(ReportSums, frozen=True, kw_only=True):
    """Those that one source has decided: see `Source`."""

    source: str


class NodeSums(ReportSums, frozen=True, kw_only=True):
    """Those that one node has decided."""

    node: str


class MomentSums(ReportSums, frozen=True, kw_only=True):
    """Those of one second, or of one minute in a report of more than ten minutes."""

    time: int  #: Unix seconds, when it began


class KeySums(Struct, frozen=True, kw_only=True):
    """How often one key was asked about.

    No more than `asked` times, and no less than `asked - asked_error`; and `denied` likewise.
    """

    key: str
    rule: str
    node: str  #: who has counted it: the owner
    asked: int
    asked_error: int
    denied: int
    denied_error: int


ReportRows: TypeAlias = (
    list[KeySums] | list[RuleSums] | list[SourceSums] | list[NodeSums] | list[MomentSums]
)
"""Of what was asked for by `by`."""


class Report(Struct, frozen=True, kw_only=True):
    """What all nodes have decided of late."""

    last: float  #: seconds, as it was asked for
    covers: float  #: seconds that rows are of: of keys whole minutes
    rule: str | None
    by: By
    nodes: ReportNodes
    error: int  #: no count of a key is further off
    totals: ReportSums
    rows: ReportRows  #: most denied first, or, by time, the oldest first


def report_of(query: ReportQuery, answer: ReportAnswer, now: float) -> Report:
    """Return what an answer says; `now` is in Unix seconds. UnknownRule if no node has it."""
    if answer.known is not None:
        raise UnknownRule(query.rule, answer.known)
    return Report(
        last=float(query.last),
        covers=float(answer.covers),
        rule=query.rule or None,
        by=query.by,
        nodes=ReportNodes(answer.answered, answer.of, answer.missing),
        error=answer.error,
        totals=ReportSums(**_columns(answer.totals)),
        rows=_rows(query, answer.rows, now),
    )


def nothing(query: ReportQuery) -> Report:
    """Return the report of no node: where no sidecar is asked, nothing is counted."""
    none = ReportAnswer(0, 0, 0, [], query.last, 0, [0] * len(ReportSums.__struct_fields__), [])
    return report_of(query, none, 0.0)


def _rows(query: ReportQuery, rows: Sequence[ReportRow], now: float) -> ReportRows:
    match query.by:
        case "key":
            return [_key_sums(row) for row in rows]
        case "rule":
            return [RuleSums(rule=name, **_columns(sums)) for name, _, sums in rows]
        case "source":
            return [SourceSums(source=name, **_columns(sums)) for name, _, sums in rows]
        case "node":
            return [NodeSums(node=name, **_columns(sums)) for name, _, sums in rows]
        case "time":
            begin = moment_of(query, now)
            return [MomentSums(time=begin - int(age), **_columns(sums)) for age, _, sums in rows]


def moment_of(query: ReportQuery, now: float) -> int:
    """Return when the moment began that goes on: the second, or the minute in a long report."""
    step = 1 if query.last <= MAX_LAST_OF_SECONDS else 60
    return int(now) - int(now) % step


def _columns(sums: Sequence[int]) -> dict[str, int]:
    return dict(zip(ReportSums.__struct_fields__, sums, strict=False))


def _key_sums(row: ReportRow) -> KeySums:
    key, node, (asked, asked_error, denied, denied_error, *_) = row
    return KeySums(
        key=key,
        rule=rule_of(key),
        node=node,
        asked=asked,
        asked_error=asked_error,
        denied=denied,
        denied_error=denied_error,
    )
