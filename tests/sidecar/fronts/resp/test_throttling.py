"""The five integers, beside a plain model of what redis-cell documents."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.protocol.messages import Answer, Answers
from sidegate_sidecar.fronts.resp.throttling import throttlings

CL, CRAB = b"CL.THROTTLE", b"THROTTLE"


@dataclass
class Cell:
    """One key of redis-cell, in exact fractions of a second: when it will be full again."""

    full_at: Fraction = Fraction(0)

    def throttle(
        self, max_burst: int, count: int, period: int, quantity: int, now: Fraction
    ) -> tuple[int, ...]:
        """Return limited, limit, remaining, retry_after and reset_after."""
        interval = Fraction(period, count)
        tolerance = interval * (max_burst + 1)
        increment = interval * quantity
        before = max(self.full_at, now)
        retry = Fraction(-1)
        limited = before + increment - now > tolerance
        if limited and increment <= tolerance:
            retry = before + increment - tolerance - now
        if not limited:
            self.full_at = before + increment
        ttl = max(self.full_at, now) - now
        remaining = floor((tolerance - ttl) / interval)
        return int(limited), max_burst + 1, remaining, ceil(retry), ceil(ttl)


def decided(name: bytes, words: list[int], table: BucketTable, now: int) -> list[int]:
    """Return the integers of a command that a table of buckets decides."""
    throttling = throttlings()[name]
    asked = throttling.asked([name, b"key", *(b"%d" % it for it in words)])
    allowed, debts = table.take(asked.key, asked.limits, asked.cost, now)
    answers = Answers(0, "owner", "n1", None, [[int(allowed), *debts]])
    return integers(throttling.reply(asked, answers, answers.answers[0]))


def integers(reply: bytes) -> list[int]:
    """Return what is in a reply of five integers."""
    head, *lines, end = reply.split(b"\r\n")
    assert (head, end, len(lines)) == (b"*5", b"", 5)
    return [int(line.removeprefix(b":")) for line in lines]


STEPS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3 * SECOND)), min_size=1, max_size=12)


@given(st.integers(0, 5), st.integers(1, 70), st.integers(1, 100), STEPS)
def test_it_is_the_arithmetic_of_redis_cell(
    max_burst: int, count: int, period: int, steps: list[tuple[int, int]]
) -> None:
    """For all limits, quantities and times: to the integer, also where nothing divides evenly."""
    table, cell, now = BucketTable(), Cell(), 0
    for quantity, pause in steps:
        now += pause
        words = [max_burst, count, period, quantity]
        expected = cell.throttle(max_burst, count, period, quantity, Fraction(now, SECOND))
        assert tuple(decided(CL, words, table, now)) == expected


def test_its_documented_example() -> None:
    """15 more than one at once, 30 in 60 seconds."""
    table = BucketTable()
    assert decided(CL, [15, 30, 60], table, 0) == [0, 16, 15, -1, 2]
    assert decided(CL, [15, 30, 60, 15], table, 0) == [0, 16, 0, -1, 32]
    assert decided(CL, [15, 30, 60], table, 0) == [1, 16, 0, 2, 32]
    assert decided(CL, [15, 30, 60, 17], table, 0) == [1, 16, 0, -1, 32]
    assert decided(CL, [15, 30, 60, 0], table, 1) == [0, 16, 0, -1, 32]


def test_throttlecrab_has_another_order_and_another_size() -> None:
    """1 is allowed, `max_burst` is all that the bucket holds, and the wait comes last."""
    table = BucketTable()
    assert decided(CRAB, [2, 1, 60], table, 0) == [1, 2, 1, 60, 0]
    assert decided(CRAB, [2, 1, 60], table, 0) == [1, 2, 0, 120, 0]
    assert decided(CRAB, [2, 1, 60], table, SECOND // 2) == [0, 2, 0, 120, 60]
    assert decided(CRAB, [2, 1, 60, 3], table, SECOND) == [0, 2, 0, 119, -1]


def test_it_is_the_bucket_that_an_app_has() -> None:
    """By the text that an app writes: period in its largest unit."""
    asked = throttlings()[CL].asked([CL, b"k", b"15", b"30", b"60"])
    assert asked.limits == parse_limits("30/minute burst 16")
    assert throttlings()[CL].asked([CL, b"k", b"99", b"100", b"3600"]).limits.text == "100/hour"


@pytest.mark.parametrize(
    ("source", "answer", "parts", "expected"),
    [
        ("open", [1], 1, [0, 16, -1, -1, -1]),
        ("closed", [0], 1, [1, 16, -1, 1, -1]),
        ("local", [1, 6 * SECOND], 3, [0, 5, 4, -1, 6]),
        ("backup", [1, 2 * SECOND], 1, [0, 16, 15, -1, 2]),
    ],
)
def test_where_nobody_knows_it_is_said(
    source: str, answer: Answer, parts: int, expected: list[int]
) -> None:
    """-1 is what is left, and when it is full; a share of the limit is shown as it is."""
    throttling = throttlings()[CL]
    asked = throttling.asked([CL, b"k", b"15", b"30", b"60"])
    answers = Answers(0, source, "n1", None, [answer], parts)
    assert integers(throttling.reply(asked, answers, answer)) == expected


@pytest.mark.parametrize("answer", ["too many\r\nnew limits", "ab"])
def test_an_error_is_one_line(answer: str) -> None:
    throttling = throttlings()[CL]
    asked = throttling.asked([CL, b"k", b"15", b"30", b"60"])
    said = throttling.reply(asked, Answers(0, "owner", "n1", None, [answer]), answer)
    assert said.startswith(b"-ERR ")
    assert said.count(b"\n") == 1


WRONG: dict[tuple[bytes, ...], str] = {
    (b"k",): "CL.THROTTLE with 1 arguments: expected key, max_burst, count, period",
    (b"k", b"1", b"1", b"1", b"1", b"1"): "CL.THROTTLE with 6 arguments",
    (b"k", b"-1", b"1", b"60"): 'max_burst "-1": expected a whole number from 0',
    (b"k", b"1", b"0", b"60"): 'count "0": expected a whole number from 1',
    (b"k", b"1", b"1", b"0"): 'period "0": expected a whole number from 1',
    (b"k", b"1", b"1", b"1.5"): 'period "1.5": expected a whole number from 1',
    (b"k", b"1", b"1", b"60", b"-1"): 'quantity "-1": expected a whole number from 0',
    (b"k", b"1", b"1", b"60", b"\xff"): 'quantity "\\ufffd": expected a whole number from 0',
    (b"k", b"9" * 30, b"1", b"60"): f'max_burst "{"9" * 30}": expected a whole number from 0',
    (b"k", b"9" * 18, b"1", b"60"): "a burst of 1000000000000000000, expected 1 to 1000000000000",
    (b"k", b"1", b"9999999999999", b"60"): "count 9999999999999 period 60: 9999999999999 tokens",
    (b"k", b"1", b"1", b"999999999999"): "a window of 999999999999 seconds, expected 1 second to",
    (b"k", b"9999", b"1", b"99999999"): "would take more than 146 years to refill",
    (b"\xff\xfe", b"1", b"1", b"60"): "key b'\\xff\\xfe': expected UTF-8",
}


@pytest.mark.parametrize("words", WRONG)
def test_bad_input_is_named(words: tuple[bytes, ...]) -> None:
    """With its value, and what was expected."""
    with pytest.raises(ValueError, match=r"expected|146 years") as caught:
        throttlings()[CL].asked([CL, *words])
    assert WRONG[words] in str(caught.value)


def test_throttlecrab_needs_a_burst() -> None:
    with pytest.raises(ValueError, match='max_burst "0": expected a whole number from 1'):
        throttlings()[CRAB].asked([CRAB, b"k", b"0", b"1", b"60"])


def test_limits_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ever new ones make place for each other."""
    monkeypatch.setattr("sidegate_sidecar.fronts.resp.throttling.MAX_KNOWN", 8)
    throttling = throttlings()[CL]
    for burst in range(100):
        throttling.asked([CL, b"k", b"%d" % burst, b"1", b"60"])
        assert len(throttling._known) <= 8
