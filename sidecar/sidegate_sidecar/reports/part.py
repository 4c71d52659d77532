"""A node's part of a report: what it has decided itself. Pure.

Each is made in slices, so that no check waits for it.
"""

from __future__ import annotations

from collections.abc import Generator
from heapq import nlargest
from itertools import islice
from operator import add
from typing import TYPE_CHECKING, Final, TypeAlias

from sidegate.protocol.report_messages import ReportPart
from sidegate_sidecar.reports.activity import SECOND, cells_of, step_of
from sidegate_sidecar.reports.recent_keys import MINUTE
from sidegate_sidecar.reports.series import COLUMNS, bounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.report_messages import ReportQuery
    from sidegate_sidecar.reports.activity import Activity, RuleActivity
    from sidegate_sidecar.reports.recent_keys import Ranking

Row: TypeAlias = tuple[str, list[int]]
"""(name, sums) of a key, rule, source, node or age."""

Steps: TypeAlias = Generator[None, None, ReportPart]
"""The making of a part, a slice in each step."""

CHUNK: Final = 512  # keys that are ranked in a slice


def first_minute(last: int, now: int) -> int:
    """Return the number of the minute in which the last so many seconds begin."""
    return (now - last * SECOND) // MINUTE


def make_part(activity: Activity, query: ReportQuery, node: str, now: int) -> Steps:
    """Make this node's part, a slice in each step. The name of a row by time is its age."""
    rules = activity.chosen(query.rule)
    if rules is None:
        known = sorted(activity.by_rule)
        return ReportPart(query.id, node, 0, [0] * COLUMNS, [], known)
    sums: dict[str, dict[str, list[int]]] = {}
    for rule in rules:
        sums[rule.rule] = rule.sums(query.last, now)
        yield
    totals = _added(columns for by_source in sums.values() for columns in by_source.values())
    error = 0
    rows: list[Row] = []
    match query.by:
        case "key":
            error, rows = yield from _by_key(rules, query, now)
        case "time":
            rows = yield from _by_time(rules, query.last, now)
        case "rule":
            rows = [(rule, _added(it.values())) for rule, it in sums.items()]
        case "source":
            rows = _by_source(sums.values())
        case "node":
            rows = [(node, totals)]
    told = [(name, bounded(row)) for name, row in rows if any(row)]
    return ReportPart(query.id, node, error, bounded(totals), told)


def _added(every: Iterable[list[int]]) -> list[int]:
    sums = [0] * COLUMNS
    for columns in every:
        sums = list(map(add, sums, columns))
    return sums


def _by_source(every: Iterable[dict[str, list[int]]]) -> list[Row]:
    rows: dict[str, list[int]] = {}
    for by_source in every:
        for source, columns in by_source.items():
            rows[source] = list(map(add, rows.get(source, [0] * COLUMNS), columns))
    return list(rows.items())


def _by_time(
    rules: Iterable[RuleActivity], last: int, now: int
) -> Generator[None, None, list[Row]]:
    cells, step = cells_of(last), step_of(last)
    line = [[0] * cells for _ in range(COLUMNS)]
    for rule in rules:
        more = rule.series(last).line(cells, now)
        line = [list(map(add, one, other)) for one, other in zip(line, more, strict=True)]
        yield
    return [
        (str((cells - 1 - at) * step), list(columns))
        for at, columns in enumerate(zip(*line, strict=True))
    ]


def _by_key(
    rules: Iterable[RuleActivity], query: ReportQuery, now: int
) -> Generator[None, None, tuple[int, list[Row]]]:
    """Return how far off a count may be, and the rows of the keys that come first.

    That is of one rule: what is of another one is no key of this one.
    """
    error = 0
    best: list[Row] = []
    first = first_minute(query.last, now)
    for rule in rules:
        asked, denied = _Ranks(), _Ranks()
        for in_minute in rule.keys.since(first):
            for ranks, ranking in zip((asked, denied), in_minute, strict=True):
                ranks.add(ranking)
                yield
        error = max(error, asked.floor, denied.floor)
        keys = iter(asked.counts | denied.counts)
        while chunk := list(islice(keys, CHUNK)):
            rows = ((key, [*asked.of(key), *denied.of(key)]) for key in chunk)
            best = nlargest(query.top, [*best, *rows], key=_rank_of)
            yield
    return error, best


def rank(sums: list[int]) -> tuple[int, int]:
    """Return by what rows of keys come in their order: most denied, then most asked."""
    asked, _, denied, _ = sums
    return denied, asked


def _rank_of(row: Row) -> tuple[int, int]:
    return rank(row[1])


class _Ranks:
    """The counts of several minutes. Those of a key are less by `floor` than they may be.

    So a minute that hasn't counted a key needn't be looked at for it.
    """

    def __init__(self) -> None:
        self.floor = 0
        self.counts: dict[str, int] = {}
        self._errors: dict[str, int] = {}

    def add(self, ranking: Ranking) -> None:
        """Add the counts of a minute."""
        counts, errors, floor = self.counts, self._errors, ranking.floor
        self.floor += floor
        for key, count, error in ranking.rows:
            counts[key] = counts.get(key, 0) + count - floor
            errors[key] = errors.get(key, 0) + error - floor

    def of(self, key: str) -> tuple[int, int]:
        """Return how often a key came at most, and by how much less it may have been."""
        return self.floor + self.counts.get(key, 0), self.floor + self._errors.get(key, 0)
