"""The fields that tell of limits, beside a Retry-After that is there already."""

import pytest
from starlette.datastructures import MutableHeaders

from sidegate.compat.slowapi.counts.rate_limiter import WindowStats
from sidegate.compat.slowapi.fields import HeaderNames
from sidegate.compat.slowapi.rates import parse_many
from tests.compat.slowapi.libraries import Clock

(FIVE,) = parse_many("5/minute")
NAMES = HeaderNames("x-limit", "x-left", "x-reset", "retry-after", has_dates=False)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "61"),
        ("10", "61"),
        ("100", "100"),
        ("Fri, 15 Jan 2027 08:02:00 GMT", "120"),
        ("Fri, 15 Jan 2027 08:02:00 -0000", "120"),
        ("Fri, 15 Jan 2027 09:02:00 +0100", "120"),
        ("soon", "61"),
        ("", "61"),
        ("9" * 5_000, "61"),
        ("Fri, 99 Jan 2027 08:02:00 GMT", "61"),
    ],
)
def test_the_later_one_counts(clock: Clock, before: str | None, after: str) -> None:
    headers = MutableHeaders({} if before is None else {"retry-after": before})
    NAMES.tell(headers, FIVE, WindowStats(int(clock.now) + 60, 3))
    assert headers["retry-after"] == after
    assert (headers["x-limit"], headers["x-left"], headers["x-reset"]) == ("5", "3", "1800000061")
