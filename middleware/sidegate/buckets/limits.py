"""A limit: so many tokens in a window of time, and the burst that a bucket of them holds."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import gcd
from typing import TypeVar

from sidegate.buckets.periods import UNITS, Period
from sidegate.errors import CostError, LimitError, quoted

MAX_TOKENS = 10**12  # keeps every count within a msgpack integer, with room to add them up
MAX_DEBT = 2**62  # ns, 146 years: what a bucket may owe, so that a debt plus a cost fits in 63 bits
MAX_LIMITS = 8  # in one check: each of them is a bucket to look up
MAX_TEXTS = 4_096  # remembered, 4 kB each at worst: more than one service has rules
MAX_TEXT = 1_024  # characters, three times what eight long limits need
UNSENT_PART = 64  # of a burst: what of it a crash may lose, 1.6 %
# What begins a text of limits that carry: white space to releases that know nothing of it.
CARRYING = "\x1f"
SYNC = "\x1e"  # behind it, of limits whose charges are backed up before they are answered: the same
BY_NAME = "@"  # before the name of a rule of the sidecar's file, in the place of limits

Key = TypeVar("Key")

SECOND = 10**9  # ns
_SHORT = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_ABBREVIATED = {"sec": "second", "secs": "second", "min": "minute", "mins": "minute"}
_UNITS = {  # as they are written, and as they are called
    **{unit: unit for unit in UNITS},
    **{f"{unit}s": unit for unit in UNITS},
    **_SHORT,
    **_ABBREVIATED,
}
_EXPECTED = "second, minute, hour, day, week, month or year (or s, m, h, d, w)"

# Every piece may be missing, so that the first one that is can be named in the error.
_PART = re.compile(
    r"(?P<count>[0-9]+)?\s*(?P<per>/|per)?\s*(?P<times>[0-9]+)?\s*(?P<unit>[a-z]+)?"
    r"\s*(?:(?P<whole>window)\b\s*(?P<zone>(?!keep\b)[^\s]+)?"
    r"|(?P<burst>burst)?\s*(?P<size>[0-9]+)?)"
    r"(?:\s*(?P<keep>keep)\s*(?P<percent>[0-9]+)\s*%)?"
    r"\s*(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, init=False)
class Limit:
    """`tokens` refilled evenly in each `window` (seconds), and a bucket that holds `burst`.

    With a `period` they are a quota instead: `tokens` in each window of it, and nothing comes back
    within one. Its bucket goes by a clock that stands still in a window and jumps where the next
    one begins, so that all else is as in a bucket; `window` is the length on paper then.

    Who asks by a limit that keeps some percent of its bucket leaves so much of it to others, who
    ask by the same limit and keep less: `burst` and `capacity` are what is left then, and `whole`
    is the limit of the bucket.

    Without tokens (0) nothing ever passes, and there is no bucket.

    The other fields are derived. A bucket is counted in ticks, of which `scale` make a
    nanosecond: as many as it takes for one token to be a whole number of them, so nothing that a
    bucket does is ever rounded. For most limits a tick is a nanosecond.
    """

    tokens: int
    window: int
    burst: int
    period: Period | None
    kept: int  # percent
    scale: int = field(compare=False, repr=False)  # ticks in a nanosecond
    interval: int = field(compare=False, repr=False)  # ticks for one token
    capacity: int = field(compare=False, repr=False)  # ticks for a whole burst
    most: int = field(compare=False, repr=False)  # ticks that may be owed, by who wasn't asked
    text: str = field(compare=False, repr=False)  # the canonical form of `whole`
    whole: "Limit" = field(compare=False, repr=False)
    is_share: bool = field(compare=False, repr=False)  # of a limit that was divided

    def __init__(
        self,
        tokens: int,
        window: int,
        burst: int | None = None,
        *,
        period: Period | None = None,
        kept: int = 0,
        is_share: bool = False,
    ) -> None:
        burst = tokens if burst is None else burst
        _check_counts(tokens, window, burst)
        if period is not None:
            _check_window(tokens, window, burst, period)
        scale, interval = _ticks(tokens, window, period)
        capacity = burst * interval * (100 - kept) // 100
        if not 0 <= kept < 100 or (kept and capacity < interval):
            raise LimitError(f"keep {_short(kept)}%: of {burst} no whole token is left to take")
        derived = {
            "tokens": tokens,
            "window": window,
            "burst": capacity // interval,
            "period": period,
            "kept": kept,
            "scale": scale,
            "interval": interval,
            "capacity": capacity,
            "most": burst * interval * (1 if period else 2),
            "text": f"{tokens}/{period}" if period else _written(tokens, window, burst),
            "whole": Limit(tokens, window, burst, period=period, is_share=is_share)
            if kept
            else self,
            "is_share": is_share,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def divided(self, parts: int) -> "Limit":
        """Return what one of `parts` nodes that decide alone may let through: the rate / `parts`.

        The burst is divided too, rounded down, but at least 1. A window never grows beyond the
        largest there is (146 years), so the rate of "1/year" stops falling at 146 parts. The window
        of a quota stays what it is, so each node lets through 1 at the least.
        """
        if not self.tokens:
            return self
        tokens, window, kept = self.tokens, self.window, self.kept
        burst = max(1, self.whole.burst // parts)
        if burst * (100 - kept) < 100:  # of one token nothing can be kept
            kept = 0
        if self.period is not None:
            return Limit(burst, window, period=self.period, kept=kept, is_share=True)
        common = gcd(tokens, parts)
        window = min(window * (parts // common), MAX_DEBT // SECOND)
        return Limit(tokens // common, window, burst, kept=kept, is_share=True)

    @property
    def written(self) -> str:
        """The canonical form of what is asked by."""
        return f"{self.text} keep {self.kept}%" if self.kept else self.text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, init=False)
class Limits:
    """One to eight different limits, decided together; equal when their texts are, and `sync`.

    Limits that carry are the only ones that their key has at a time. So if it had others before,
    these were changed, and what was spent of them is carried over: who had spent 40 % of the old
    limit has spent 40 % of the new one. Others stand beside those that the same key has elsewhere,
    each for itself. `asked` is the text that a check has, and says which they are, and whether a
    charge is to be answered only when a backup has it (`sync`). Of those that `may_lease` an app
    may borrow tokens.
    """

    text: str
    asked: str = field(compare=False, repr=False)
    carries: bool = field(compare=False)
    may_lease: bool = field(compare=False, repr=False)
    items: tuple[Limit, ...] = field(compare=False)
    windows: tuple[int, ...] = field(compare=False, repr=False)  # which of them are quotas
    smallest_burst: int = field(compare=False, repr=False)  # a larger cost is an error; 1 or more
    is_blocked: bool = field(compare=False, repr=False)  # has one of them no tokens?
    sync: bool = field(repr=False)  # is it backed up before it is answered?
    max_unsent: int = field(compare=False, repr=False)  # tokens that may wait to be backed up

    def __init__(
        self,
        items: Iterable[Limit],
        *,
        carries: bool = False,
        may_lease: bool = True,
        sync: bool = False,
    ) -> None:
        items = tuple(items)
        if not 1 <= len(items) <= MAX_LIMITS:
            raise LimitError(f"expected 1 to {MAX_LIMITS} limits, not {len(items)}")
        if len({limit.text for limit in items}) < len(items):
            raise LimitError("the same limit is given twice")
        text = "; ".join([limit.written for limit in items])
        object.__setattr__(self, "text", text)
        marks = CARRYING * carries + SYNC * sync
        object.__setattr__(self, "asked", marks + text)
        object.__setattr__(self, "carries", carries)
        object.__setattr__(self, "may_lease", may_lease and not sync)  # what is lent isn't known
        object.__setattr__(self, "items", items)
        windows = tuple(at for at, limit in enumerate(items) if limit.period)
        object.__setattr__(self, "windows", windows)
        smallest = min(limit.burst for limit in items)
        object.__setattr__(self, "smallest_burst", smallest or 1)
        object.__setattr__(self, "is_blocked", not smallest)
        object.__setattr__(self, "sync", sync)
        object.__setattr__(self, "max_unsent", smallest // UNSENT_PART)

    @property
    def are_a_share(self) -> bool:
        """Whether they are what one node of several decides by that are cut off."""
        return any(limit.is_share for limit in self.items)

    def carrying(self) -> "Limits":
        """Return the same limits, and have them carry."""
        return self if self.carries else self._with(carries=True)

    def apart(self) -> "Limits":
        """Return the same limits, and have them stand for themselves."""
        return self._with(carries=False) if self.carries else self

    def unleased(self) -> "Limits":
        """Return the same limits, and have nothing be borrowed of them."""
        if not self.may_lease:
            return self
        return Limits(self.items, carries=self.carries, may_lease=False, sync=self.sync)

    def synced(self) -> "Limits":
        """Return the same limits, and have each charge be backed up before it is answered."""
        return self if self.sync else parse_limits(CARRYING * self.carries + SYNC + self.text)

    def _with(self, *, carries: bool) -> "Limits":
        return Limits(self.items, carries=carries, may_lease=self.may_lease, sync=self.sync)

    def divided(self, parts: int) -> "Limits":
        """Each limit divided; those that become the same by it are one.

        What was divided is remembered, 4,096 of it: in an outage each check asks for it.
        """
        if parts == 1:
            return self
        try:
            return _divided[self.text, parts]
        except KeyError:
            found: dict[str, Limit] = {}
            for limit in (it.divided(parts) for it in self.items):
                if limit.text not in found or limit.kept > found[limit.text].kept:
                    found[limit.text] = limit
            divided = Limits(found.values())
            return _remember(_divided, (self.text, parts), divided)

    def __iter__(self) -> Iterator[Limit]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return self.text


def require_cost(cost: int, limits: Limits) -> None:
    """Raise CostError for a cost that can never pass."""
    if not 0 <= cost <= limits.smallest_burst:
        raise CostError(cost, limits.smallest_burst)


def _short(number: int) -> str:
    """Return a number for an error's text, which is not to grow with it."""
    digits = str(number)
    return digits if len(digits) <= 30 else f"{digits[:30]}… ({len(digits)} digits)"


def _check_counts(tokens: int, window: int, burst: int) -> None:
    if not 0 <= tokens <= MAX_TOKENS:
        raise LimitError(f"{_short(tokens)} tokens, expected 0 to {MAX_TOKENS}")
    if not tokens and burst:
        raise LimitError(f"a burst of {_short(burst)} without tokens to refill it")
    if tokens and not 1 <= burst <= MAX_TOKENS:
        raise LimitError(f"a burst of {_short(burst)}, expected 1 to {MAX_TOKENS}")
    if not 1 <= window <= MAX_DEBT // SECOND:
        raise LimitError(f"a window of {_short(window)} seconds, expected 1 second to 146 years")
    if burst * window * SECOND > MAX_DEBT * tokens:
        raise LimitError(f"a burst of {_short(burst)} would take more than 146 years to refill")


def _check_window(tokens: int, window: int, burst: int, period: Period) -> None:
    if burst != tokens or window != period.length:
        raise LimitError(
            f"a quota of {tokens} in a {period} of {period.length} seconds has no other"
        )
    if tokens > window * SECOND:
        most = window * SECOND
        raise LimitError(f"{tokens} tokens, expected at most {most} in a window of {window} s")


def _ticks(tokens: int, window: int, period: Period | None) -> tuple[int, int]:
    """Return how many ticks a nanosecond has, and one token.

    In a window no time passes, so a token may be a little less than its share: all of them end
    before the next window begins.
    """
    if not tokens:
        return 1, 1
    if period is not None:
        return 1, window * SECOND // tokens
    common = gcd(window * SECOND, tokens)
    return tokens // common, window * SECOND // common


def _written(tokens: int, window: int, burst: int) -> str:
    unit = next(unit for unit, seconds in UNITS.items() if window % seconds == 0)
    times = window // UNITS[unit]
    written = f"{tokens}/{unit}" if times == 1 else f"{tokens}/{times} {unit}s"
    return written if burst == tokens else f"{written} burst {burst}"


def parse_limits(text: str) -> Limits:
    """Read limits such as "100/minute; 1000/day window"; LimitError names what is wrong.

    Parts are joined by ";", "," or "|", and a text that begins with CARRYING has limits that carry.
    What was read is remembered, 4,096 texts of it.
    """
    try:
        return _parsed[text]  # 60 ns a hit, where functools.lru_cache takes 100
    except KeyError:
        return _remember(_parsed, text, _parse(text))


_parsed: dict[str, Limits] = {}
_divided: dict[tuple[str, int], Limits] = {}
known_limits = _parsed.get
"""Return what a text was read as, None if it has to be read first: for who reads few at a time."""


def _remember(known: dict[Key, Limits], key: Key, limits: Limits) -> Limits:
    if len(known) >= MAX_TEXTS:
        # The older half, which is cheaper than an order of use. Not all: others may still need what
        # was read a moment ago, and who asks for ever new ones would have them read it again.
        for old in list(known)[: MAX_TEXTS // 2]:
            known.pop(old, None)
    known[key] = limits
    return limits


def _parse(text: str) -> Limits:
    if len(text) > MAX_TEXT:
        raise LimitError(f"expected at most {MAX_TEXT} characters", text, text)
    parts = re.split("[;,|]", text)
    if len(parts) > MAX_LIMITS:
        raise LimitError(f"expected at most {MAX_LIMITS} limits, not {len(parts)}", text, text)
    items: list[Limit] = []
    for part in map(str.strip, parts):
        limit = _parse_one(part, text)
        if any(limit.text == it.text for it in items):
            raise LimitError(f"the same as {quoted(limit.text)} before it", part, text)
        items.append(limit)
    return Limits(items, carries=text.startswith(CARRYING), sync=SYNC in text[:2])


def _parse_one(part: str, text: str) -> Limit:
    match = _PART.fullmatch(part)
    assert match  # every piece may be missing
    wrong = _wrong(match)
    if wrong:
        raise LimitError(wrong, part, text)
    count, times, unit = (
        int(match["count"]),
        int(match["times"] or 1),
        _UNITS[match["unit"].lower()],
    )
    burst = int(match["size"]) if match["size"] else None
    try:
        period = Period(unit, times, match["zone"] or "") if match["whole"] else None
        window = period.length if period else times * UNITS[unit]
        return Limit(count, window, burst, period=period, kept=int(match["percent"] or 0))
    except LimitError as error:
        raise LimitError(error.why, part, text) from None


def _wrong(match: re.Match[str]) -> str:
    """Name the first piece that is missing or not understood; "" when all is well."""
    count, per, times, unit, whole, zone, burst, size, _, _, rest = match.groups(default="")
    checks = (
        (not match.string, 'nothing here, expected a limit such as "100/minute"'),
        (re.match(r"\.[0-9]", rest), "a fraction, expected whole numbers"),
        (not count, 'expected a whole number of tokens first, as in "100/minute"'),
        (not per, f'expected "/" or "per" after {quoted(count)}'),
        (
            whole and zone.lower() == "burst",
            "a quota is whole when its window begins, without a burst",
        ),
        (not unit, f"no unit after {quoted(per + times)}, expected {_EXPECTED}"),
        (unit.lower() not in _UNITS, f"unknown unit {quoted(unit)}, expected {_EXPECTED}"),
        (burst and not size, f"expected a whole number of tokens after {quoted(burst)}"),
        (rest[:4].lower() == "keep", f'expected a percentage as in "keep 20%", not {quoted(rest)}'),
        (whole and rest, f'expected ";" after {quoted(zone or whole)}'),
        (
            rest or (size and not burst),
            f'expected ";", "burst 20" or "window" after {quoted(unit)}',
        ),
    )
    return next((text for wrong, text in checks if wrong), "")
