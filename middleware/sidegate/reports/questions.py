"""What may be asked for in a report, and how it is written. Pure."""

from __future__ import annotations

from re import compile as regular
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from sidegate.errors import shown
from sidegate.protocol.messages import MAX_KEY_BYTES
from sidegate.protocol.report_messages import MAX_LAST, MAX_LAST_OF_KEYS, MAX_TOP, By, ReportQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

Last: TypeAlias = str | float
"""How far back: "5m", "90s", "1h30m", or seconds."""

BYS: Final[Sequence[By]] = get_args(By)
_UNITS: Final = {"h": 3_600, "m": 60, "s": 1}
_DIGITS: Final = 9  # more are no number of rows; of thousands Python makes none
_LAST: Final = regular(r"(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s?)?")


def seconds_of(last: object) -> int:
    """Return how many whole seconds that is; ValueError for nonsense."""
    seconds: float | None
    if isinstance(last, str):
        seconds = _read(last.replace(" ", ""))
    elif isinstance(last, int | float) and not isinstance(last, bool):
        seconds = last
    else:
        seconds = None
    if seconds is None or not 1 <= seconds <= MAX_LAST or seconds != int(seconds):
        why = f'expected whole seconds from 1s to {MAX_LAST // 3_600}h, such as "5m"'
        raise ValueError(f"last={shown(last)}: {why}")
    return int(seconds)


def _read(text: str) -> int | None:
    found = _LAST.fullmatch(text) if text else None
    if found is None:
        return None
    return sum(
        int(number) * unit
        for number, unit in zip(found.groups(), _UNITS.values(), strict=True)
        if number
    )


def require_by(by: object) -> By:
    """Return of what the rows are; ValueError for nonsense."""
    for known in BYS:
        if known == by:
            return known
    raise ValueError(f"by={shown(by)}: expected one of {', '.join(BYS)}")


def require_top(top: object) -> int:
    """Return how many rows, also of a text; ValueError for nonsense."""
    is_number = isinstance(top, str) and top.isascii() and top.isdigit() and len(top) <= _DIGITS
    number = int(top) if isinstance(top, str) and is_number else top
    if type(number) is not int or not 1 <= number <= MAX_TOP:
        raise ValueError(f"top={shown(top)}: expected a whole number from 1 to {MAX_TOP:,}")
    return number


def require_rule(rule: object) -> str | None:
    """Return the name of a rule, None for all; ValueError for nonsense."""
    if rule is None or (isinstance(rule, str) and 1 <= _bytes_of(rule) <= MAX_KEY_BYTES):
        return rule
    expected = f"expected the name of a rule, up to {MAX_KEY_BYTES} bytes of UTF-8"
    raise ValueError(f"rule={shown(rule)}: {expected}")


def _bytes_of(text: str) -> int:
    """Return the bytes of a text in UTF-8, 0 where it has none there."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def report_query(rule: str | None, last: Last, by: str, top: int) -> ReportQuery:
    """Return the question; ValueError names what makes no sense, and what was expected."""
    seconds, which = seconds_of(last), require_by(by)
    if which == "key" and seconds > MAX_LAST_OF_KEYS:
        most = f"{MAX_LAST_OF_KEYS // 60}m"
        raise ValueError(f"last={shown(last)}: expected at most {most}, as keys are kept no longer")
    return ReportQuery(0, 0, seconds, require_rule(rule) or "", which, require_top(top))
