"""A report of events: what the apps of all nodes have recorded of late. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict, get_args

from msgspec import Struct

from sidegate.errors import UnknownRule, shown
from sidegate.protocol.keys import rule_of
from sidegate.protocol.report_messages import EventQuery, ReportAnswer
from sidegate.reports.event_counts import MILLION, name_is_good
from sidegate.reports.questions import report_query
from sidegate.reports.report import ReportNodes, moment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.protocol.report_messages import ReportRow
    from sidegate.reports.questions import Last

EventsBy: TypeAlias = Literal["key", "event", "node", "time"]
"""What the rows of a report of events are of."""

BYS: Final[Sequence[str]] = get_args(EventsBy)

_ALLOWED, _COST = 0, 4  # columns of a ReportAnswer: how often, and the sum


class EventSums(Struct, frozen=True, kw_only=True):
    """How often it came, and the sum of its values, to the millionth."""

    count: int
    sum: float


class OneEvent(EventSums, frozen=True, kw_only=True):
    """All keys of one event."""

    event: str


class NodeEvents(EventSums, frozen=True, kw_only=True):
    """What one node has counted."""

    node: str


class MomentEvents(EventSums, frozen=True, kw_only=True):
    """Those of one second, or of one minute in a report of more than ten minutes."""

    time: int  #: Unix seconds, when it began


class EventKey(EventSums, frozen=True, kw_only=True):
    """One key: no more than that, and less by no more than the errors."""

    key: str
    event: str
    node: str  #: who has counted it: its owner
    count_error: int
    sum_error: float


EventRows: TypeAlias = list[EventKey] | list[OneEvent] | list[NodeEvents] | list[MomentEvents]


class EventReport(Struct, frozen=True, kw_only=True):
    """What the apps of all nodes have recorded of late."""

    last: float  #: seconds, as it was asked for
    covers: float  #: seconds that rows are of: of keys whole minutes
    event: str | None
    by: EventsBy
    nodes: ReportNodes
    totals: EventSums
    rows: EventRows  #: the largest sum first, or, by time, the oldest first

    @property
    def error(self) -> int:
        """Return by how much less any count of a key in it may be."""
        return max((row.count_error for row in self.rows if isinstance(row, EventKey)), default=0)


def require_event(event: object) -> str | None:
    """Return the name of an event, None for all; ValueError for nonsense."""
    if event is None or (isinstance(event, str) and name_is_good(event)):
        return event
    raise ValueError(f"event={shown(event)}: expected the name of an event")


def event_query(event: str | None, last: Last, by: str, top: int) -> EventQuery:
    """Return the question; ValueError names what makes no sense, and what was expected."""
    if by not in BYS:
        raise ValueError(f"by={shown(by)}: expected one of {', '.join(BYS)}")
    it = report_query(require_event(event), last, "rule" if by == "event" else by, top)
    return EventQuery(it.id, it.hops, it.last, it.rule, it.by, it.top)


def event_report_of(query: EventQuery, answer: ReportAnswer, now: float) -> EventReport:
    """Return what an answer says, of an event that nobody has recorded too: nothing.

    `now` is in Unix seconds.
    """
    return EventReport(
        last=float(query.last),
        covers=float(answer.covers),
        event=query.rule or None,
        by=_by(query),
        nodes=ReportNodes(answer.answered, answer.of, answer.missing),
        totals=EventSums(count=answer.totals[_ALLOWED], sum=answer.totals[_COST] / MILLION),
        rows=_rows(query, answer.rows, now),
    )


def event_instead(unknown: UnknownRule, last: Last, by: str, top: int) -> EventQuery:
    """Return the question about an event of the name that no rule has; else that error."""
    if not name_is_good(unknown.rule) or by not in BYS:
        raise unknown
    return event_query(unknown.rule, last, by, top)


def known_event(report: EventReport, unknown: UnknownRule) -> EventReport:
    """Return the report of an event; that error if nobody has recorded it in this time."""
    if not report.totals.count:
        raise unknown
    return report


def no_events(query: EventQuery) -> EventReport:
    """Return the report of no node: where no sidecar is asked, nothing is counted."""
    return event_report_of(query, ReportAnswer(0, 0, 0, [], query.last, 0, [0] * 5, []), 0.0)


def _by(query: EventQuery) -> EventsBy:
    match query.by:
        case "key" | "node" | "time":
            return query.by
        case _:
            return "event"


def _rows(query: EventQuery, rows: Sequence[ReportRow], now: float) -> EventRows:
    match query.by:
        case "key":
            return [_key(row) for row in rows]
        case "node":
            return [NodeEvents(node=name, **_columns(sums)) for name, _, sums in rows]
        case "time":
            begin = moment_of(query, now)
            return [MomentEvents(time=begin - int(age), **_columns(sums)) for age, _, sums in rows]
        case _:
            return [OneEvent(event=name, **_columns(sums)) for name, _, sums in rows]


class _Columns(TypedDict):
    count: int
    sum: float


def _columns(sums: Sequence[int]) -> _Columns:
    return {"count": sums[_ALLOWED], "sum": sums[_COST] / MILLION}


def _key(row: ReportRow) -> EventKey:
    name, node, (count, count_error, total, sum_error, *_) = row
    event = rule_of(name)
    return EventKey(
        key=name.partition(":")[2],
        event=event,
        node=node,
        count=count,
        count_error=count_error,
        sum=total / MILLION,
        sum_error=sum_error / MILLION,
    )
