"""Times as access logs write them."""

import pytest

from sidegate_sidecar.rules_plan.log_times import MAX_SECONDS, _text_time, log_time, time_text
from sidegate_sidecar.rules_plan.logged_request import BadLine
from tests.sidecar.rules_plan.logs import BEGIN, SECOND


@pytest.mark.parametrize(
    "written",
    [
        "21/Sep/2026:14:13:20 +0000",
        "21/Sep/2026:14:13:20",
        "21/Sep/2026:16:13:20 +0200",
        "21/Sep/2026:03:43:20 -1030",
        "2026-09-21T14:13:20Z",
        "2026-09-21T16:13:20+02:00",
        "2026-09-21 14:13:20",
        "[2026-09-21T14:13:20.000Z]",
        BEGIN,
        str(BEGIN),
        float(BEGIN),
        f"{BEGIN}.000",
        BEGIN * 1_000,
        BEGIN * 10**6,
        BEGIN * 10**9,
    ],
)
def test_one_moment(written: object) -> None:
    """Without a zone it is UTC; numbers are seconds, or by their size ms, µs or ns."""
    assert log_time(written) == BEGIN * SECOND
    assert time_text(BEGIN * SECOND) == "2026-09-21T14:13:20Z"


def test_parts_of_a_second() -> None:
    for written in (
        "21/Sep/2026:14:13:20.250 +0000",
        "2026-09-21T14:13:20.25Z",
        BEGIN + 0.25,
        f"{BEGIN}.250",
        BEGIN * 1_000 + 250,
    ):
        assert log_time(written) == BEGIN * SECOND + SECOND // 4
    assert log_time("31/Dec/2016:23:59:60 +0000") == log_time("31/Dec/2016:23:59:59 +0000")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "32/Sep/2026:14:13:20 +0000",
        "21/Foo/2026:14:13:20 +0000",
        "21/Sep/2026:14:13:61 +0000",
        "21/Sep/2026:14:13:20 +9999",
        "31/Dec/1969:23:59:59 +0000",
        "01/Jan/0001:00:00:00 +2300",
        "1969-01-01T00:00:00Z",
        -1,
        -0.5,
        10**30,
        1e300,
        "9" * 20,
        "9" * 5_000,
        True,
        None,
        [],
        {},
    ],
)
def test_what_is_no_time(written: object) -> None:
    with pytest.raises(BadLine, match="expected a time such as"):
        log_time(written)


def test_what_is_remembered_is_short() -> None:
    """A log of made-up times fills no memory."""
    with pytest.raises(BadLine):
        log_time(" " * 60_000 + "2026-09-21")
    assert _text_time.cache_info().maxsize == 1_024
    before = _text_time.cache_info().misses
    for written in ("1" * 65, f"2026-09-21{' ' * 60}"):
        with pytest.raises(BadLine):
            log_time(written)
    assert _text_time.cache_info().misses == before


def test_the_last_moment() -> None:
    """It can be written out."""
    last = "9999-12-31T23:59:59Z"
    assert log_time(last) == MAX_SECONDS * SECOND
    assert time_text(MAX_SECONDS * SECOND) == last
    with pytest.raises(BadLine):
        log_time("9999-12-31T23:59:59-01:00")
