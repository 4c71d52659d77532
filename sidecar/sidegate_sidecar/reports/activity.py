"""Activity: what one node has decided of late, rule by rule. Pure.

Each rule has sums of the last 600 seconds and 180 minutes, and the keys of the last ten minutes.
What a rule takes of the memory is bounded, and so is how many there are: those that come later
count together as "other", until one that is there has had nothing for three hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate_sidecar.reports.recent_keys import MINUTE, RecentKeys
from sidegate_sidecar.reports.rules import OTHER, rule_of
from sidegate_sidecar.reports.series import Column, Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.messages import Check

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

    def add(self, source: str, column: Column, count: int, now: int) -> None:
        """Add to the sums, not to the keys."""
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

    def add(
        self, source: str, column: Column, checks: Iterable[tuple[Check, int]], now: int
    ) -> int:
        """Count checks with one outcome, each so many times; return how much work that was.

        A check is 1, and a table that was packed on the way as much as it has counters.
        """
        work = 0
        sums: dict[str, _Sum] = {}
        counts_keys, is_denied = column in _DECIDED, column is Column.DENIED
        for (key, _, cost), times in checks:
            rule = rule_of(key)
            if (found := sums.get(rule)) is None:
                activity = self._activity_of(rule, now)
                work += activity.keys.turn(now)
                found = sums[rule] = _Sum(activity)
            found.times += times
            found.cost += cost * times
            work += 1
            if counts_keys:
                found.asked(key, times)
                if is_denied:
                    found.denied(key, times)
        for found in sums.values():
            found.activity.add(source, column, found.times, now)
            if column is Column.ALLOWED:
                found.activity.add(source, Column.COST, found.cost, now)
        return work

    def add_to_other(self, source: str, column: Column, times: int, tokens: int, now: int) -> None:
        """Count checks of keys that nobody names."""
        self._other.add(source, column, times, now)
        if column is Column.ALLOWED:
            self._other.add(source, Column.COST, tokens, now)

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


class _Sum:
    """What one call adds to a rule."""

    __slots__ = ("activity", "asked", "cost", "denied", "times")

    def __init__(self, activity: RuleActivity) -> None:
        self.activity = activity
        self.asked = activity.keys.asked.add
        self.denied = activity.keys.denied.add
        self.times = 0
        self.cost = 0
