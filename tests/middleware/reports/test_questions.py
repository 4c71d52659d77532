"""What may be asked of reports: good input is read, bad input is named with what was expected."""

from typing import Any

import pytest

from sidegate.protocol.report_messages import ReportQuery
from sidegate.reports.questions import report_query, seconds_of


@pytest.mark.parametrize(
    ("last", "seconds"),
    [
        *[("1s", 1), ("90s", 90), ("90", 90), ("5m", 300), ("3h", 10_800), ("1h30m", 5_400)],
        *[("1h 1m 1s", 3_661), (60, 60), (60.0, 60)],
    ],
)
def test_how_far_back_is_read(last: str | float, seconds: int) -> None:
    assert seconds_of(last) == seconds


@pytest.mark.parametrize(
    "last",
    [
        *["", " ", "5x", "m", "-5m", "5m1h", "1.5m", "0s", "3h1s", "99999h", "5m\n\n5m", "٣m"],
        *[0, -1, 10_801, 1.5, float("nan"), float("inf"), True],
    ],
)
def test_nonsense_is_named(last: str | float) -> None:
    with pytest.raises(ValueError, match=r"^last=.*expected whole seconds from 1s to 3h"):
        seconds_of(last)


def test_a_question_is_what_was_asked() -> None:
    assert report_query("api", "5m", "key", 9) == ReportQuery(0, 0, 300, "api", "key", 9)
    assert report_query(None, "2h", "time", 1) == ReportQuery(0, 0, 7_200, "", "time", 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"by": "keys"}, "by='keys': expected one of key, rule, source, node, time"),
        ({"by": None}, "by=None: expected one of key, rule, source, node, time"),
        ({"top": 0}, "top=0: expected a whole number from 1 to 1,000"),
        ({"top": 1_001}, "top=1001: expected a whole number from 1 to 1,000"),
        ({"top": True}, "top=True: expected a whole number from 1 to 1,000"),
        ({"top": "many"}, "top='many': expected a whole number from 1 to 1,000"),
        ({"rule": ""}, "rule='': expected the name of a rule"),
        ({"top": "9" * 5_000}, "top='9999"),
        ({"rule": "x" * 513}, "rule='xxx"),
        ({"rule": "é" * 257}, "rule='ééé"),
        ({"rule": "\ud800"}, "rule='\\ud800': expected the name of a rule"),
        ({"last": [1]}, "last=[1]: expected whole seconds from 1s to 3h"),
        ({"last": 1j}, "last=1j: expected whole seconds from 1s to 3h"),
        ({"rule": 7}, "rule=7: expected the name of a rule"),
        ({"last": "11m"}, "last='11m': expected at most 10m, as keys are kept no longer"),
    ],
)
def test_what_makes_no_sense_is_named_with_what_was_expected(
    changed: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"rule": None, "last": "5m", "by": "key", "top": 20, **changed}
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # its beginning is compared
        report_query(**given)
    assert str(raised.value).startswith(message)
