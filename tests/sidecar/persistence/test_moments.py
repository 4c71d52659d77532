"""Moments: how much time has passed since a file was saved, whatever the clocks were set to."""

import time

import pytest

from sidegate_sidecar.persistence.moments import ASTRAY, LONG_AWAY, Moment, boot_clock, passed
from tests.sidecar.persistence.lives import HOUR, SAVED_AT, SECOND

SAVED = Moment(SAVED_AT, "boot-1", 5 * HOUR)
LATER = SAVED_AT + 90 * SECOND


@pytest.mark.parametrize("shift", [0, 1_800 * SECOND, -30 * 24 * HOUR, 400 * 24 * HOUR])
def test_within_one_boot_the_wall_may_say_what_it_likes(shift: int) -> None:
    """The time since the boot tells exactly; that the wall was set is said."""
    since = passed(SAVED, Moment(SAVED_AT + 60 * SECOND + shift, "boot-1", 5 * HOUR + 60 * SECOND))
    assert since.time == 60 * SECOND
    way = "forward" if shift > 0 else "back"
    words = f"the wall clock was set {way} by {abs(shift) // SECOND:,} s" if shift else ""
    assert since.doubt.startswith(words)
    assert bool(since.doubt) is bool(shift)


def test_what_ntp_corrects_is_no_doubt() -> None:
    since = passed(SAVED, Moment(SAVED_AT + SECOND + ASTRAY, "boot-1", 5 * HOUR + SECOND))
    assert since.doubt == ""


@pytest.mark.parametrize(
    "now", [Moment(LATER, "boot-2", SECOND), Moment(LATER), Moment(LATER, "boot-1", HOUR)]
)
def test_after_another_boot_the_wall_tells(now: Moment) -> None:
    """Also where nothing names the boot, or its clock went back: a container may have its own."""
    since = passed(SAVED, now)
    assert (since.time, since.doubt) == (90 * SECOND, "")


def test_a_long_time_by_the_wall_alone_is_a_doubt() -> None:
    away = passed(SAVED, Moment(SAVED_AT + LONG_AWAY + SECOND, "boot-2", SECOND))
    assert away.time == LONG_AWAY + SECOND
    assert "by the wall clock alone" in away.doubt


def test_from_the_future_no_time_has_passed() -> None:
    since = passed(SAVED, Moment(SAVED_AT - HOUR, "boot-2", SECOND))
    assert since.time == 0
    assert "saved 3,600 s in the future" in since.doubt


def test_this_machine_counts_its_boot() -> None:
    """Where the system names it, as Linux does."""
    name, uptime = boot_clock()
    assert name
    assert 0 < uptime <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
