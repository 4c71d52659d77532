"""Activity: what one node has decided of late, rule by rule. Pure.

Each rule has sums of the last 600 seconds and 180 minutes, and the keys of the last ten minutes.
What a rule takes of the memory is bounded, and so is how many there are: those that come later
count together as "other", until one that is there has had nothing for three hours.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate.protocol.keys import OTHER
from sidegate_sidecar.reports.recent_keys import MINUTE, RecentKeys
from sidegate_sidecar.reports.series import Column, Series
from sidegate_sidecar.reports.space_saving import STEP

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from typing import TypeAlias

    Counted: TypeAlias = tuple[str, int, int]  # key, times, sum

SECOND: Final = 10**9  # ns
SECONDS: Final = 600
MINUTES: Final = 180
RULES: Final = 64
RULE_BYTES: Final = 1 << 20  # of one rule, at most
SUMS_WORK: Final = 40  # what adding to the sums is, of which looking at a key is 1

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

    def fold(
        self, source: str, column: Column, times: Mapping[str, int], tokens: int, now: int
    ) -> Iterator[int]:
        """Count keys with one outcome, in slices; yield how much work each was."""
        self.add(source, column, sum(times.values()), tokens, now)
        yield SUMS_WORK
        if column in _DECIDED:
            yield from self.keys.count(times, times if column is Column.DENIED else {}, now)

    def record(self, rows: Sequence[Counted], now: int) -> Iterator[int]:
        """Count keys of an app's own event, in slices; yield how much work each was.

        Their sums are in the place of denials: those that have the largest come first.
        """
        counts: dict[str, int] = {}
        sums: dict[str, int] = {}
        for key, times, total in rows:
            counts[key] = counts.get(key, 0) + times
            sums[key] = sums.get(key, 0) + total
        self.add(Source.OWNER, Column.ALLOWED, sum(counts.values()), sum(sums.values()), now)
        yield SUMS_WORK + len(rows)
        counts.pop("", None)
        sums.pop("", None)
        yield from self.keys.count(counts, sums, now)

    def add(self, source: str, column: Column, times: int, tokens: int, now: int) -> None:
        """Add to the sums. Tokens are charged for what is allowed only."""
        self._add(source, column, times, now)
        if column is Column.ALLOWED:
            self._add(source, Column.COST, tokens, now)

    def _add(self, source: str, column: Column, count: int, now: int) -> None:
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

    def fold(
        self,
        source: str,
        column: Column,
        times: Mapping[str, int],
        tokens: Mapping[str, int] | None,
        now: int,
    ) -> Iterator[int]:
        """Count keys with one outcome, in slices; yield how much work each was.

        `tokens` are those of all checks of a key; None if each was of one.
        """
        lots: dict[str, dict[str, int]] = {}
        keys = iter(times.items())
        for begin in range(0, len(times), STEP):
            for key, count in islice(keys, STEP):
                head, colon, _ = key.partition(":")  # rule_of by hand: a tenth of all this
                rule = head if colon and head else OTHER
                lot = lots.get(rule)
                if lot is None:
                    lot = lots.setdefault(self._activity_of(rule, now, lots).rule, {})
                lot[key] = count
            yield min(STEP, len(times) - begin)
        for rule, lot in lots.items():
            charged = sum(lot.values() if tokens is None else map(tokens.__getitem__, lot))
            yield from self._activity_of(rule, now, lots).fold(source, column, lot, charged, now)

    def add_to_other(self, source: str, column: Column, times: int, tokens: int, now: int) -> None:
        """Count checks of keys that nobody names."""
        self._other.add(source, column, times, tokens, now)

    def record(self, name: str, rows: Sequence[Counted], now: int) -> Iterator[int]:
        """Count keys of an app's own event, each with its name in front; "" is of no key.

        In slices, each of which yields how much work it was.
        """
        yield from self._activity_of(name, now, ()).record(rows, now)

    def chosen(self, rule: str) -> list[RuleActivity] | None:
        """Return one rule, or all ("") of them; None if there is no such rule."""
        if not rule:
            return list(self.by_rule.values())
        found = self.by_rule.get(rule)
        return None if found is None else [found]

    def _activity_of(self, rule: str, now: int, busy: Container[str]) -> RuleActivity:
        """Return where a rule is counted, if need be in the place of one that has had nothing.

        Those that are `busy` are about to have something.
        """
        found = self.by_rule.get(rule)
        if found is not None:
            return found
        if len(self.by_rule) > self._most and now - self._looked_at >= MINUTE:
            self._looked_at = now
            for idle in [name for name, it in self.by_rule.items() if it.minutes.is_empty(now)]:
                if idle != OTHER and idle not in busy:
                    del self.by_rule[idle]
        if len(self.by_rule) > self._most:
            return self._other
        self.by_rule[rule] = found = RuleActivity(rule, self._rule_bytes)
        return found
