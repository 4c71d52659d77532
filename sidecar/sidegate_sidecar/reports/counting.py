"""Counting: checks as they are decided, later than they are answered. Pure.

On the hot path a frame's checks are only put on a list. In the next turn of the loop, while who
asked reads the answers, they are counted in a dict at C speed: a tenth of a microsecond each. Once
a second, or when too many different keys wait, they are folded into the tables of their rules, some
in each turn: a third of a microsecond for each that is different.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.buckets.decision import Source
from sidegate_sidecar.reports.series import Column
from sidegate_sidecar.reports.space_saving import STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from sidegate.protocol.messages import Answer, Check
    from sidegate_sidecar.reports.activity import Activity, Counted

    Outcome: TypeAlias = tuple[str | None, str, Column, int, int]  # key, source, checks, tokens

LOT: Final = 256  # checks that are counted at a time
SLICE: Final = 1_024  # work in a turn of the loop: 0.1 ms, and up to 0.5 if a table changes last
PER_KEY: Final = 16  # work to fold a key, mostly less: 1 is to look at it once
MAX_KEYS: Final = 16_384  # different ones that the owner allowed, and that aren't folded: 4 MB
MAX_OTHERS: Final = (
    1_024  # different checks of each other source and outcome, of which there are 20
)
BUSY: Final = 16_384  # checks in half a second
EVERY: Final = 10**9  # ns between two times that all is folded


class _Batch(NamedTuple):
    """So many keys that wait to be folded, in slices, each of which yields how much work it was."""

    size: int
    slices: Iterator[int]


class Counting:
    """Counts the checks that one node decides. `later` calls in the next turn of the loop.

    Without it nothing is folded but by `tick`, by `settle` and at the bound.
    """

    def __init__(
        self,
        activity: Activity,
        clock: Callable[[], int],
        later: Callable[[Callable[[], None]], object] | None,
        events: Activity,
    ) -> None:
        self.activity = activity
        self.events = events  # what apps record themselves, by `links/reporting`
        self.clock = clock
        self.waiting = 0  # different keys in batches
        self._later = later
        self._frames: list[Sequence[Check]] = []  # that the owner has allowed: by far the most
        self._answers: list[tuple[str, Sequence[Check], Sequence[Answer]]] = []
        self._uncounted = 0  # checks in these two
        self._ones: Counter[str] = Counter()  # keys of checks that the owner allowed for 1 token
        self._others: dict[tuple[str, Column], Counter[Check]] = {}
        self._batches: deque[_Batch] = deque()
        self._counts = False  # is _count going to be called?
        self._folds = False  # is _fold_some going to be called?
        self._due = 0
        self._taken_at = 0
        self._came = 0  # checks counted since then

    # --- on the hot path

    def owned(self, checks: Sequence[Check], answers: Sequence[Answer] | None = None) -> None:
        """Count checks that this node has decided as the owner: with these answers, or allowed."""
        if answers is None:
            self._frames.append(checks)
        else:
            self._answers.append((Source.OWNER, checks, answers))
        self._uncounted += len(checks)
        if self._uncounted >= LOT:
            self._count_soon()

    def answered(self, source: str, checks: Sequence[Check], answers: Sequence[Answer]) -> None:
        """Count checks with these answers, whoever decided them."""
        self._answers.append((source, checks, answers))
        self._uncounted += len(checks)
        if self._uncounted >= LOT:
            self._count_soon()

    def _count_soon(self) -> None:
        if self._later is None or self._uncounted >= MAX_KEYS:
            self._count()
        elif not self._counts:
            self._counts = True
            self._later(self._count)

    # --- in the next turn

    def _count(self) -> None:
        """Count what is on the lists, and fold as many if too many wait."""
        frames, answers, came = self._frames, self._answers, self._uncounted
        self._frames, self._answers, self._uncounted, self._counts = [], [], 0, False
        self._came += came
        if frames:
            self._allowed(list(chain.from_iterable(frames)) if frames[1:] else frames[0])
        for source, checks, its in answers:
            self._sort(source, checks, its)
        if len(self._ones) >= MAX_KEYS:
            self._take()
        self._fold_excess(came)

    def _allowed(self, checks: Sequence[Check]) -> None:
        keys = [key for key, _, cost in checks if cost == 1]
        if len(keys) == len(checks):
            self._ones.update(keys)  # half the time of whole checks
        else:
            self.count(Source.OWNER, Column.ALLOWED, checks)

    def _sort(self, source: str, checks: Sequence[Check], answers: Sequence[Answer]) -> None:
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

    def count(self, source: str, column: Column, checks: Iterable[Check]) -> None:
        """Count checks with one outcome, now: those that were decided elsewhere, say."""
        counter = self._others.get((source, column))
        if counter is None:
            counter = self._others[source, column] = Counter()
        counter.update(checks)
        if len(counter) >= MAX_OTHERS:
            self._take()

    def told(self, outcomes: Sequence[Outcome]) -> None:
        """Count checks that an app has decided; the key is None for those it doesn't tell.

        If too many keys wait as many are folded as came: nobody fills memory faster than that.
        """
        for key, source, column, checks, tokens in outcomes:
            if key is None:
                self.activity.add_to_other(source, column, checks, tokens, self.clock())
                continue
            counter = self._others.setdefault((source, column), Counter())
            counter[key, "", tokens] += 1
            if checks > 1:
                counter[key, "", 0] += checks - 1
            if len(counter) >= MAX_OTHERS:
                self._take()
        self._fold_excess(2 * len(outcomes))  # each may be two

    def record(self, name: str, rows: Sequence[Counted]) -> None:
        """Count keys of an app's own event, each with its name in front; "" is of no key."""
        self._put(len(rows), self.events.record(name, rows, self.clock()))
        self._fold_excess(len(rows))
        self._fold_soon()

    # --- once a second

    def tick(self) -> None:
        """Begin to fold if that is due. Called ten times a second, by a node at rest four times.

        What is counted is of the moment when it is taken, so by as much too late.
        """
        now = self.clock()
        if now >= self._due or self._due > now + EVERY:
            self._due = now - now % EVERY + EVERY
            self._count()
            self._take()

    def settle(self) -> Iterator[None]:
        """Fold all that was counted before, in slices of work: each step is one.

        On a busy node the last half second may be left out, lest each report make it fold anew.
        """
        self._count()
        if self._came < BUSY or not 0 <= self.clock() - self._taken_at < EVERY // 2:
            self._take()
        while self._batches:
            self._fold(SLICE)
            yield

    def _take(self) -> None:
        """Put what was counted into batches, and have them folded."""
        self._taken_at = now = self.clock()
        self._came = 0
        ones, self._ones = self._ones, Counter()
        if ones:
            self._put(len(ones), self.activity.fold(Source.OWNER, Column.ALLOWED, ones, None, now))
        for (source, column), counter in self._others.items():
            self._put(len(counter), self._fold_others(source, column, counter, now))
        self._others = {}
        self._fold_soon()

    def _put(self, size: int, slices: Iterator[int]) -> None:
        self._batches.append(_Batch(size, slices))
        self.waiting += size

    def _fold_others(
        self, source: str, column: Column, checks: Counter[Check], now: int
    ) -> Iterator[int]:
        """Fold checks of which a key may have several, and of any cost."""
        times: dict[str, int] = {}
        tokens: dict[str, int] = {}
        rows = iter(checks.items())
        for begin in range(0, len(checks), STEP):
            for (key, _, cost), count in islice(rows, STEP):
                times[key] = times.get(key, 0) + count
                tokens[key] = tokens.get(key, 0) + count * cost
            yield min(STEP, len(checks) - begin)
        yield from self.activity.fold(source, column, times, tokens, now)

    def _fold_soon(self) -> None:
        if self._batches and self._later is not None and not self._folds:
            self._folds = True
            self._later(self._fold_some)

    def _fold_some(self) -> None:
        """Fold a slice in this turn of the loop, and another in the next one if there is more."""
        self._fold(SLICE)
        self._folds = False
        self._fold_soon()

    def _fold_excess(self, came: int) -> None:
        """Fold about as many as came if too many wait: more comes than turns of the loop fold."""
        if self.waiting > MAX_KEYS:
            self._fold(PER_KEY * came)
        while self.waiting > 2 * MAX_KEYS:
            self._fold(SLICE)

    def _fold(self, work: int) -> None:
        """Fold slices that are so much work together, or a little more."""
        while work > 0 and self._batches:
            size, slices = self._batches[0]
            done = next(slices, None)
            if done is None:
                self._batches.popleft()
                self.waiting -= size
            else:
                work -= done
