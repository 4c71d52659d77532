"""What tests ask of activities: a report of several nodes, all steps of it at once."""

from collections.abc import Mapping, Sequence

from sidegate.protocol.report_messages import By, ReportAnswer, ReportQuery
from sidegate_sidecar.reports.activity import Activity
from sidegate_sidecar.reports.merging import merge
from sidegate_sidecar.reports.part import make_part
from sidegate_sidecar.reports.series import Column
from tests.support.steps import finished


def query(by: By = "key", last: int = 300, rule: str = "", top: int = 20) -> ReportQuery:
    return ReportQuery(1, 0, last, rule, by, top)


def report(
    nodes: Mapping[str, Activity], asked: ReportQuery, now: int, missing: tuple[str, ...] = ()
) -> ReportAnswer:
    """Return what these nodes say together."""
    parts = [finished(make_part(it, asked, name, now)) for name, it in nodes.items()]
    return finished(merge(asked, parts, missing, now))


def decide(
    activity: Activity, source: str, column: Column, keys: Sequence[tuple[str, int, int]], now: int
) -> None:
    """Have keys counted with one outcome: (key, times, tokens) of each, in all slices at once."""
    times = {key: its for key, its, _ in keys}
    tokens = {key: its for key, _, its in keys}
    list(activity.fold(source, column, times, tokens, now))


def record(activity: Activity, name: str, rows: Sequence[tuple[str, int, int]], now: int) -> None:
    """Have keys of an event counted, in all slices at once."""
    list(activity.record(name, rows, now))
