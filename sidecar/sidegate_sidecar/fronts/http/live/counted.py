"""What was counted: the parts of an event that come from reports, asked of all nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.protocol.keys import rule_of
from sidegate.protocol.report_messages import MAX_TOP, By, ReportQuery
from sidegate_sidecar.fronts.http.live.event import (
    KeySeen,
    NodesHeard,
    Rates,
    RuleSeen,
    SourceSeen,
)
from sidegate_sidecar.fronts.http.live.lines import points_of, window_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.protocol.report_messages import ReportAnswer
    from sidegate_sidecar.fronts.http.live.event import Event
    from sidegate_sidecar.fronts.http.live.lines import Point
    from sidegate_sidecar.links.reporting.gathering import Gathering

RATES_OVER: Final = 10  # seconds
LATELY: Final = 60  # seconds
MAX_KEYS: Final = 10
MAX_RULES: Final = 12  # that have a line: the most denied, then the most allowed
CHOOSE_EVERY: Final = 10.0  # seconds


class Counted:
    """Asks for reports, as few as an event needs. A rule's line is asked for in its turn."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._lines: dict[str, list[Point]] = {}
        self._step = 0
        self._chosen_at = 0.0
        self._turn = 0
        self._left_out = 0

    async def add(self, event: Event) -> Event:
        """Return an event with what was counted."""
        by_rule, by_key, by_source = await asyncio.gather(
            self._report("rule", RATES_OVER),
            self._report("key", LATELY, top=MAX_KEYS),
            self._report("source", LATELY),
        )
        await self._draw(event.time, by_rule.of)
        return replace(
            event,
            nodes=_heard((by_rule, by_key, by_source)),
            rates=Rates(*(it / RATES_OVER for it in by_rule.totals[:5])),
            error=by_key.error,
            since=event.time - by_key.covers,
            denied=_denied(by_key),
            sources=[SourceSeen(name, *sums[:5]) for name, _, sums in by_source.rows],
            step=self._step,
            rules=self._rules(by_rule),
            more_rules=self._left_out,
        )

    async def _report(
        self, by: By, last: int, *, rule: str = "", top: int = MAX_TOP
    ) -> ReportAnswer:
        return await self._gathering.report(ReportQuery(0, 0, last, rule, by, top))

    async def _draw(self, now: float, nodes: int) -> None:
        """Choose the rules now and then; ask for the lines of new ones, and of one of the others.

        After a pause all are asked for.
        """
        last, step = window_of(nodes)
        if now - self._chosen_at > 2 * CHOOSE_EVERY or step != self._step:
            self._lines.clear()
        self._step = step
        if not 0 <= now - self._chosen_at < CHOOSE_EVERY:
            self._chosen_at = now
            await self._choose()
        self._turn += 1
        due = [rule for rule, line in self._lines.items() if not line]
        if self._lines:
            due.append([*self._lines][self._turn % len(self._lines)])
        for rule in dict.fromkeys(due):
            report = await self._report("time", last, rule=rule)
            self._lines[rule] = points_of(report.rows, now, step)

    async def _choose(self) -> None:
        rows = (await self._report("rule", 600)).rows
        names = sorted(name for name, _, _ in rows[:MAX_RULES])
        self._left_out = len(rows) - len(names)
        self._lines = {name: self._lines.get(name, []) for name in names}

    def _rules(self, by_rule: ReportAnswer) -> list[RuleSeen]:
        sums = {name: (it[0], it[1]) for name, _, it in by_rule.rows}
        rates = {name: sums.get(name, (0, 0)) for name in self._lines}
        return [
            RuleSeen(name, allowed / RATES_OVER, denied / RATES_OVER, self._lines[name])
            for name, (allowed, denied) in rates.items()
        ]


def _heard(reports: Sequence[ReportAnswer]) -> NodesHeard:
    """Tell who has answered all of these."""
    of = max(it.of for it in reports)
    missing = sorted({name for it in reports for name in it.missing})
    answered = min(*(it.answered for it in reports), of - len(missing))
    return NodesHeard(answered, of, missing)


def _denied(by_key: ReportAnswer) -> Iterable[KeySeen]:
    return [
        KeySeen(key, rule_of(key), node, *sums[:4]) for key, node, sums in by_key.rows if sums[2]
    ]
