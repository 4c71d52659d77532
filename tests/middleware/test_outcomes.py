"""What a sidecar is to hear of what its app decided without it."""

from __future__ import annotations

import pytest

from sidegate.outcomes import EVERY, OutcomeCounts
from sidegate.wire import OUTCOMES, Outcomes


def test_nothing_to_tell() -> None:
    """Before something was counted there is no message."""
    counts = OutcomeCounts()
    assert not counts
    assert counts.take(100.0) is None


def test_counts() -> None:
    """A message has how often each outcome came since the last one."""
    counts = OutcomeCounts()
    for outcome in (*OUTCOMES, "open"):
        counts.count(outcome)
    assert counts
    assert counts.take(100.0) == Outcomes(
        [("open", 2), ("closed", 1), ("local", 1), ("key-error", 1)]
    )
    assert not counts


def test_once_a_second() -> None:
    """What comes within a second after a message waits for the next."""
    counts = OutcomeCounts()
    counts.count("open")
    counts.take(100.0)
    counts.count("open")
    counts.count("open")
    assert counts.take(100.0 + 0.9 * EVERY) is None
    assert counts.take(100.0 + EVERY) == Outcomes([("open", 2)])


def test_others() -> None:
    """There are no other outcomes."""
    with pytest.raises(ValueError, match="outcome='ajar': expected one of open, closed"):
        OutcomeCounts().count("ajar")
