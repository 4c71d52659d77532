"""The log on stderr: whatever comes, no kind of line is said without end."""

import logging

from sidegate_sidecar.telemetry.logs import BURST, MAX_KINDS, FewOfAKind


def record(text: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("sidegate", logging.INFO, "here", 1, text, args, None)


def test_of_one_kind_few_are_said_and_the_others_are_counted() -> None:
    """A kind is what one place in the code says, whatever it fills in."""
    now = 0.0
    few = FewOfAKind(lambda: now)
    said = [few.filter(record("node %s is away", at)) for at in range(10 * BURST)]
    assert said.count(True) == BURST
    assert few.filter(record("something else"))
    now = 5.0
    late = record("node %s is away", "x")
    assert few.filter(late)
    assert late.getMessage() == f"node x is away (and {9 * BURST:,} others in 5 s)"


def test_kinds_are_bounded() -> None:
    few = FewOfAKind(lambda: 0.0)
    assert all(few.filter(record(f"line {at}")) for at in range(3 * MAX_KINDS))
    assert len(few._limiters) <= MAX_KINDS


def test_what_looks_like_a_format_is_said_as_it_is() -> None:
    line = record("%s", "100 %d of it")
    assert FewOfAKind(lambda: 0.0).filter(line)
    assert line.getMessage() == "100 %d of it"
