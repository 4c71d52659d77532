"""Activity: what one node has decided of late, rule by rule. Pure.

Each rule has sums of the last 600 seconds and 180 minutes, and the keys of the last ten minutes.
What a rule takes of the memory is bounded, and so is how many there are: those that come later
count together as "other", until one that is there has had nothing for three hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate.protocol.keys import OTHER
from sidegate_sidecar.reports.recent_keys import MINUTE, RecentKeys
from sidegate_sidecar.reports.series import Column, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    Counted: TypeAlias = tuple[str, int, int]  # key, times, tokens

SECOND: Final = 10**9  # ns
SECONDS: Final = 600
MINUTES: Final = 180
RULES: Final = 64
RULE_BYTES: Final = 1 << 20  # of one rule, at most

_DECIDED: Final = (Column.ALLOWED, Column.DENIED)


def step_of(last: int) -> int:
    """Return of how many seconds the cells are that hold the last so many seconds."""
    return 1 if last <= SECONDS else 60


def cells_of(last: int) -> int:
    """Return how many cells hold the last so many seconds."""
    return -(-last // step_of(last))


class _Lot:
    """Keys of one rule, each with how often it came, and what that makes together."""

    __slots__ = ("cost", "keys", "times")

    def __init__(self) -> None:
        self.keys: list[tuple[str, int]] = []
        self.times = 0
        self.cost = 0


class RuleActivity:
    """What was decided under one rule."""

    __slots__ = ("keys", "minutes", "rule", "seconds", "totals")

    def __init__(self, rule: str, max_bytes: int) -> None:
        self.rule = rule
        self.seconds = Series(SECONDS, SECOND)
        self.minutes = Series(MINUTES, MINUTE)
        self.keys = RecentKeys(max_bytes, "" if rule == OTHER else f"{rule}:")
        self.totals: dict[tuple[str, Column], int] = {}
        """By source and column, since this rule is counted."""

    @property
    def size(self) -> int:
        """What it takes of the memory."""
        return self.seconds.size + self.minutes.size + self.keys.size

    def sums(self, last: int, now: int) -> dict[str, list[int]]:
        """Return the sums of the last so many seconds by source; of minutes if these are many."""
        return self.series(last).sums(cells_of(last), now)

    def series(self, last: int) -> Series:
        """Return the series that has so many seconds."""
        return self.seconds if last <= SECONDS else self.minutes

    def take(self, source: str, column: Column, lot: _Lot, now: int) -> int:
        """Count a lot with one outcome; return how much work it was beside that."""
        self._add(source, column, lot.times, now)
        if column is Column.ALLOWED:
            self._add(source, Column.COST, lot.cost, now)
        if column not in _DECIDED:
            return 0
        work = self.keys.turn(now)
        self.keys.asked.add(lot.keys)
        if column is Column.DENIED:
            self.keys.denied.add(lot.keys)
        return work

    def record(self, rows: Sequence[Counted], now: int) -> None:
        """Count keys of an app's own event.

        Their sums are in the place of denials: those that have the largest come first.
        """
        self._add(Source.OWNER, Column.ALLOWED, sum([times for _, times, _ in rows]), now)
        self._add(Source.OWNER, Column.COST, sum([total for _, _, total in rows]), now)
        self.keys.turn(now)
        self.keys.asked.add([(key, times) for key, times, _ in rows if key])
        self.keys.denied.add([(key, total) for key, _, total in rows if key])

    def _add(self, source: str, column: Column, count: int, now: int) -> None:
        """Add to the sums."""
        self.seconds.add(source, column, count, now)
        self.minutes.add(source, column, count, now)
        which = source, column
        self.totals[which] = self.totals.get(which, 0) + count


class Activity:
    """The rules of one node: at most `most`, and one for the others. Times are in ns."""

    def __init__(self, most: int = RULES, rule_bytes: int = RULE_BYTES) -> None:
        self._most = most
        self._rule_bytes = rule_bytes
        self._other = RuleActivity(OTHER, rule_bytes)
        self.by_rule: dict[str, RuleActivity] = {OTHER: self._other}
        self._looked_at = 0  # when it was last looked for a rule that has had nothing

    @property
    def size(self) -> int:
        """What all of it takes of the memory."""
        return sum(it.size for it in self.by_rule.values())

    def add(self, source: str, column: Column, keys: Iterable[Counted], now: int) -> int:
        """Count keys with one outcome; return how much work that was.

        A key is 1, and a table that was packed on the way as much as it has counters.
        """
        lots: dict[str, _Lot] = {}
        for key, times, cost in keys:
            head, colon, _ = key.partition(":")  # rule_of by hand: a tenth of all this
            rule = head if colon and head else OTHER
            if (lot := lots.get(rule)) is None:
                lot = lots[rule] = _Lot()
            lot.keys.append((key, times))
            lot.times += times
            lot.cost += cost
        work = 0
        for rule, lot in lots.items():
            activity = self._activity_of(rule, now)
            work += len(lot.keys) + activity.take(source, column, lot, now)
        return work

    def add_to_other(self, source: str, column: Column, times: int, tokens: int, now: int) -> None:
        """Count checks of keys that nobody names."""
        lot = _Lot()
        lot.times, lot.cost = times, tokens
        self._other.take(source, column, lot, now)

    def record(self, name: str, rows: Sequence[Counted], now: int) -> None:
        """Count keys of an app's own event, each with its name in front; "" is of no key."""
        self._activity_of(name, now).record(rows, now)

    def chosen(self, rule: str) -> list[RuleActivity] | None:
        """Return one rule, or all ("") of them; None if there is no such rule."""
        if not rule:
            return list(self.by_rule.values())
        found = self.by_rule.get(rule)
        return None if found is None else [found]

    def _activity_of(self, rule: str, now: int) -> RuleActivity:
        """Return where a rule is counted, if need be in the place of one that has had nothing."""
        found = self.by_rule.get(rule)
        if found is not None:
            return found
        if len(self.by_rule) > self._most and now - self._looked_at >= MINUTE:
            self._looked_at = now
            for idle in [name for name, it in self.by_rule.items() if it.minutes.is_empty(now)]:
                if idle != OTHER:
                    del self.by_rule[idle]
        if len(self.by_rule) > self._most:
            return self._other
        self.by_rule[rule] = found = RuleActivity(rule, self._rule_bytes)
        return found
