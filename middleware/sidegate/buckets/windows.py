"""Windows: by which clock quotas are counted, on one node. Pure.

A quota is a bucket whose clock stands still in a window, and jumps where the next one begins: to
the number of that window times its length on paper. So the one number of a bucket has the window
above and what is spent in it below, of two copies the larger one counts, and the first check in a
new window finds a full bucket. What is spent leads up to where the next window begins, no further.

Nodes' clocks differ by a little. So a window has begun for a node as soon as another tells it of
what was spent in it, up to a second early: what is spent in a window counts on all nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from sidegate.buckets.limits import CARRYING, MAX_LIMITS, MAX_TEXT, SECOND, Limit, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.periods import Period, Window

MAX_SKEW = SECOND  # ns that a clock may be ahead of another one
MAX_PERIODS = 1_024  # 300 bytes each
_STEP = 10**6  # ns: a clock on the wall that was set by less is what it was
DATED = "@"  # between the text of a quota and the number of a window, where that is told
MAX_DIGITS = 12  # of such a number: one of seconds has 10
# Characters of limits with their windows: a frame full of them would take half a second.
_MAX_DATED = MAX_TEXT + MAX_LIMITS * MAX_DIGITS


class CurrentWindow:
    """The window that it is now; `now` is in ns on the clock of the table, as are the fields.

    `ticks` is where the clock of its quotas stands, until `until`; `latest` is the number of the
    latest window that ever was, a later one where the clock was set back.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "latest",
        "length",
        "number",
        "period",
        "ticks",
        "until",
    )

    def __init__(self, period: Period, clock: WindowClock) -> None:
        self.period = period
        self.length = period.length * SECOND  # ticks from one window to the next
        self._clock = clock
        self.latest = self.number = self.ticks = self.until = 0

    def at(self, now: int) -> int:
        """Return where the clock of quotas stands (ticks)."""
        if now >= self.until:
            self._turn(now)
        return self.ticks

    def number_at(self, now: int) -> int:
        """Return the number of the window."""
        self.at(now)
        return self.number

    def left(self, now: int) -> int:
        """Return how long the window lasts from now on (ns)."""
        self.at(now)
        return self.until - now

    def enter(self, number: int, now: int) -> bool:
        """Hear what another node calls the present window; False if it is over here.

        The next one begins by that, unless that is over a second away: then it is called so by a
        clock that is wrong, and what was spent in it counts in this one.
        """
        self.at(now)
        if number > self.number and self.until - now <= MAX_SKEW:
            after = self.period.at(self.until + self._clock.wall)
            if number == after.number:
                self._set(after)
        return number >= self.number

    def debt(self, full_at: int, now: int) -> int:
        """Return what a bucket owes (ticks) whose number is this."""
        return self.owed(full_at - self.at(now))

    def owed(self, ticks: int) -> int:
        """Return what is owed by a bucket whose number is so far beyond the clock, 0 if behind it.

        One of a window to come, as far as `enter` lets through none, is of a clock that was wrong
        before it was set back: it counts as if it were of this window.
        """
        return (ticks - 1) % self.length + 1 if ticks > self.length else max(ticks, 0)

    def forgotten_at(self, full_at: int, now: int) -> int:
        """Return when a bucket is to be forgotten (ns), 0 if that is now.

        Not before the window ends, and the later the more it owes: when memory is full those go
        first that have spent least.
        """
        owed = self.debt(full_at, now)
        return self.until + owed if owed else 0

    def _turn(self, now: int) -> None:
        it = self.period.at(now + self._clock.wall)
        if self.number > it.number and it.end - self._clock.wall - now <= MAX_SKEW:
            after = self.period.at(it.end)
            it = after if self.number == after.number else it  # it began early
        self._set(it)

    def _set(self, window: Window) -> None:
        self.number = window.number
        self.latest = max(self.latest, window.number)
        self.ticks = window.number * self.length
        self.until = window.end - self._clock.wall


class WindowClock:
    """The present windows of periods, 1,024 of them; of more the older half is forgotten.

    Not with the last bucket of a period: a window that has begun early has to stay begun.

    `wall` is what is added to the clock of the table to have ns since 1970 (UTC).
    """

    __slots__ = ("_all", "_windows", "wall")

    def __init__(self) -> None:
        self.wall = 0
        self._windows: dict[Period, CurrentWindow] = {}
        self._all: WeakSet[CurrentWindow] = WeakSet()  # also those that only tables know

    def of(self, period: Period) -> CurrentWindow:
        """Return the present window of a period."""
        window = self._windows.get(period)
        if window is None:
            if len(self._windows) >= MAX_PERIODS:
                for old in list(self._windows)[: MAX_PERIODS // 2]:
                    del self._windows[old]
            window = self._windows[period] = CurrentWindow(period, self)
            self._all.add(window)
        return window

    def of_limit(self, limit: Limit) -> CurrentWindow | None:
        """Return the present window of a quota, None for a bucket."""
        return None if limit.period is None else self.of(limit.period)

    def set(self, wall: int) -> None:
        """Set the clock on the wall, which may go back."""
        if abs(wall - self.wall) >= _STEP:
            self.wall = wall
            for window in self._all:
                window.until = 0

    def told(self, limits: Limits, now: int) -> list[int]:
        """Return for each window of these limits how long it lasts (ns), and its number."""
        told: list[int] = []
        for at in limits.windows:
            if period := limits.items[at].period:
                window = self.of(period)
                told += window.left(now), window.number
        return told

    def is_now(self, limit: Limit, number: int, now: int) -> bool:
        """Is it the window of this number? So it is of what isn't a quota, and of no number (0)."""
        if limit.period is None or not number:
            return True
        return number == self.of(limit.period).number_at(now)

    def dated(self, limit: Limit, now: int) -> str:
        """Return the text of a limit, and the window that it is."""
        if limit.period is None:
            return limit.text
        return f"{limit.text}{DATED}{self.of(limit.period).number_at(now)}"


def dated(limits: Limits, windows: Sequence[int]) -> str:
    """Return the text of limits in the windows of these numbers, as a check has it."""
    if not windows:
        return limits.asked
    texts = [limit.text for limit in limits.items]
    for at, number in zip(limits.windows, windows, strict=True):
        texts[at] += f"{DATED}{number}"
    mark = CARRYING if limits.carries else ""
    return mark + "; ".join(texts)


def windows_in(limits: Limits, debts: Sequence[int]) -> list[int]:
    """Return for each limit the number of its window, 0 for none; debts as `take` gives them."""
    windows = [0] * len(limits.items)
    for at, place in enumerate(limits.windows):
        windows[place] = debts[len(limits.items) + 2 * at + 1]
    return windows


def undated(text: str) -> tuple[str, list[int]]:
    """Return the text of limits, and of each its window's number, 0 where there is none.

    ValueError for a number that is none, and for a text that is longer than any of limits is.
    """
    if DATED not in text:
        return text, []
    if len(text) > _MAX_DATED:
        raise ValueError(f"limits of {len(text):,} characters: expected at most {_MAX_DATED:,}")
    parts = [part.partition(DATED) for part in text.split(";")]
    for _, mark, number in parts:
        if mark and not (number.isascii() and number.isdecimal() and len(number) < MAX_DIGITS):
            raise ValueError(
                f"limits {text[:200]!r}: expected the number of a window after {DATED}"
            )
    return ";".join(part for part, _, _ in parts), [int(number or 0) for _, _, number in parts]
