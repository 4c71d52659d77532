"""Counting: checks as they are decided, cheaply at once, and into the tables a little later. Pure.

On the hot path a frame's checks are only counted in a dict, at C speed: a tenth of a microsecond
each. Once a second, or when too many different ones wait, they are folded into the tables of their
rules, some in each turn of the loop: half a microsecond for each that is different.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.buckets.decision import Source
from sidegate_sidecar.reports.series import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sidegate.protocol.messages import Answer, Check
    from sidegate_sidecar.reports.activity import Activity

SLICE: Final = 256  # different checks that are folded in a turn of the loop: 0.2 ms
MAX_WAITING: Final = 8_192  # different checks that the owner allowed, and that aren't folded: 2 MB
MAX_OTHERS: Final = 1_024  # of each other source and outcome, of which there are 20
EVERY: Final = 10**9  # ns between two times that all is folded


class _Batch(NamedTuple):
    """Checks that wait to be folded, as of the moment when they were taken."""

    source: str
    column: Column
    checks: Iterator[tuple[Check, int]]
    at: int


class Counting:
    """Counts the checks that one node decides. `later` calls in the next turn of the loop.

    Without it nothing is folded but by `tick` and at the bound.
    """

    def __init__(
        self,
        activity: Activity,
        clock: Callable[[], int],
        later: Callable[[Callable[[], None]], object] | None,
    ) -> None:
        self.activity = activity
        self.waiting = 0  # different checks in batches, at most
        self._allowed: Counter[Check] = Counter()  # by the owner, which is by far the most
        self._others: dict[tuple[str, Column], Counter[Check]] = {}
        self.clock = clock
        self._later = later
        self._batches: deque[_Batch] = deque()
        self._folds = False  # is _fold_some going to be called?
        self._due = 0

    # --- on the hot path

    def owned(self, checks: Sequence[Check], answers: Sequence[Answer] | None = None) -> None:
        """Count checks that this node has decided as the owner: with these answers, or allowed."""
        if answers is not None:
            self.answered(Source.OWNER, checks, answers)
            return
        self._allowed.update(checks)
        if len(self._allowed) >= MAX_WAITING:
            self._take()
        if self.waiting > MAX_WAITING:  # more comes in than turns of the loop can fold
            self._fold(len(checks))

    def answered(self, source: str, checks: Sequence[Check], answers: Sequence[Answer]) -> None:
        """Count checks with these answers, whoever decided them."""
        allowed: list[Check] = []
        denied: list[Check] = []
        failed: list[Check] = []
        for check, answer in zip(checks, answers, strict=True):
            verdict = answer[0]
            (allowed if verdict == 1 else denied if verdict == 0 else failed).append(check)
        for column, some in (
            (Column.ALLOWED, allowed),
            (Column.DENIED, denied),
            (Column.ERRORS, failed),
        ):
            if some:
                self.count(source, column, some)

    def count(self, source: str, column: Column, checks: Sequence[Check]) -> None:
        """Count checks with one outcome."""
        if column is Column.ALLOWED and source == Source.OWNER:
            self.owned(checks)
            return
        counter = self._others.get((source, column))
        if counter is None:
            counter = self._others[source, column] = Counter()
        counter.update(checks)
        if len(counter) >= MAX_OTHERS:
            self._take()
        if self.waiting > MAX_WAITING:
            self._fold(len(checks))

    def told(self, key: str | None, source: str, column: Column, checks: int, tokens: int) -> None:
        """Count checks of a key that an app has decided; None for those of keys it doesn't tell."""
        if key is None:
            self.activity.add_to_other(source, column, checks, tokens, self.clock())
            return
        counter = self._others.setdefault((source, column), Counter())
        counter[key, "", tokens] += 1
        if checks > 1:
            counter[key, "", 0] += checks - 1
        if len(counter) >= MAX_OTHERS:
            self._take()

    # --- later

    def tick(self) -> None:
        """Begin to fold if that is due. Called ten times a second, or when somebody wants to know.

        What is counted is of the moment when it is taken, so by a tenth of a second too late.
        """
        now = self.clock()
        if now >= self._due or self._due > now + EVERY:
            self._due = now - now % EVERY + EVERY
            self._take()

    def settle(self) -> Iterator[None]:
        """Fold all that was counted before, in slices of work: each step is one."""
        self._take()
        while self._batches:
            self._fold(SLICE)
            yield

    def _take(self) -> None:
        """Put what was counted into batches, and have them folded."""
        now = self.clock()
        if self._allowed:
            self._put(Source.OWNER, Column.ALLOWED, self._allowed, now)
            self._allowed = Counter()
        for (source, column), counter in self._others.items():
            self._put(source, column, counter, now)
        self._others = {}
        if self._batches and self._later is not None and not self._folds:
            self._folds = True
            self._later(self._fold_some)

    def _put(self, source: str, column: Column, counter: Counter[Check], now: int) -> None:
        self._batches.append(_Batch(source, column, iter(counter.items()), now))
        self.waiting += len(counter)

    def _fold_some(self) -> None:
        """Fold a slice in this turn of the loop, and another in the next one if there is more."""
        self._fold(SLICE)
        self._folds = bool(self._batches)
        if self._folds and self._later is not None:
            self._later(self._fold_some)

    def _fold(self, work: int) -> None:
        while work > 0 and self._batches:
            source, column, checks, at = self._batches[0]
            some = list(islice(checks, min(work, SLICE)))
            if not some:
                self._batches.popleft()
                continue
            self.waiting -= len(some)
            work -= self.activity.add(source, column, some, at)
