"""What is done for buckets all the time, and what the log says of a table that is full."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.node.node import Node
from sidegate_sidecar.node.upkeep import EVERY, PAUSE, SLICE, Fullness, Upkeep

START = 10**15


def flood(buckets: BucketTable, start: str, count: int) -> None:
    for at in range(count):
        buckets.take(f"{start}{at}", parse_limits("10/hour"), 1, START)


def test_nothing_is_said_while_all_fit() -> None:
    buckets = BucketTable(1 << 20)
    flood(buckets, "api:", 1_000)
    assert not Fullness().line(buckets, 0.0)


def test_a_full_table_names_the_rule_that_pays_and_what_it_takes() -> None:
    """Whoever reads it sees at once whose keys these are, and what the option is called."""
    buckets, fullness = BucketTable(1 << 20), Fullness()
    flood(buckets, "login:", 100)
    flood(buckets, "shop/api:", 10_000)
    gone = sum(buckets.evicted.values())
    assert fullness.line(buckets, 5.0) == (
        f"the buckets fill all of --max-memory (1MiB): {gone:,} of those that owe least were"
        " forgotten; most are of \"rule 'shop/api', 10/hour\", which takes"
        f" {buckets.largest()[1] * 100 >> 20} %"
    )


def test_it_is_said_once_a_minute_and_not_again_when_nothing_more_goes() -> None:
    buckets, fullness = BucketTable(1 << 20), Fullness()
    flood(buckets, "api:", 6_000)
    before = sum(buckets.evicted.values())
    assert fullness.line(buckets, 0.0)
    flood(buckets, "more:", 3_000)
    assert not fullness.line(buckets, PAUSE - 1)
    assert f" {sum(buckets.evicted.values()) - before:,} of" in fullness.line(buckets, PAUSE)
    assert not fullness.line(buckets, 3 * PAUSE)


def test_a_made_up_name_can_not_write_lines_of_its_own() -> None:
    """It is cut, and what would end a line is escaped."""
    buckets = BucketTable(1 << 20)
    flood(buckets, "a\nb" * 100 + ":", 10_000)
    line = Fullness().line(buckets, 0.0)
    assert line.isprintable()
    assert len(line) < 400


class Kept:
    """The buckets of a node and their upkeep, on clocks of their own."""

    def __init__(self) -> None:
        self.now = START
        self.wall = 2 * START
        self.ticks = 0  # of what is counted for reports
        self.also: list[int] = []
        self.later: list[Callable[[], None]] = []
        self.buckets = BucketTable(1 << 20)
        node = SimpleNamespace(buckets=self.buckets, counting=SimpleNamespace(tick=self._tick))
        self.upkeep = Upkeep(
            cast("Node", node),
            lambda: self.now,
            lambda: self.wall,
            self.also.append,
            self.later.append,
        )

    def _tick(self) -> None:
        self.ticks += 1

    def turn(self) -> None:
        """Do what was put off until the next turn of the loop."""
        later, self.later[:] = list(self.later), []
        for work in later:
            work()


def test_full_buckets_are_forgotten_a_slice_in_each_turn_of_the_loop() -> None:
    kept = Kept()
    flood(kept.buckets, "api:", 2 * SLICE + 1)
    kept.now += 3_600 * 10**9
    held: list[int] = []
    kept.upkeep.tick(kept.now)
    while kept.later:
        held.append(len(kept.buckets))
        kept.now += EVERY
        kept.upkeep.tick(kept.now)  # begins no second one meanwhile
        assert len(kept.later) == 1
        kept.turn()
    assert held == [SLICE + 1, 1]
    assert len(kept.buckets) == 0


def test_all_else_is_done_ten_times_a_second_at_the_most() -> None:
    kept = Kept()
    for _ in range(3):
        kept.upkeep.tick(kept.now)
        kept.upkeep.tick(kept.now + EVERY - 1)
        kept.now += EVERY
    assert kept.also == [START, START + EVERY, START + 2 * EVERY]
    assert kept.ticks == 3


def test_calendar_windows_follow_the_clock_on_the_wall() -> None:
    kept = Kept()
    kept.upkeep.tick(kept.now)
    assert kept.buckets.windows.wall + kept.now == kept.wall
    kept.wall += 3_600 * 10**9  # somebody has set it
    kept.upkeep.tick(kept.now + EVERY)
    assert kept.buckets.windows.wall + kept.now == kept.wall


def test_a_table_that_is_full_is_told_of_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    flood(kept.buckets, "api:", 10_000)
    kept.upkeep.tick(kept.now)
    assert "the buckets fill all of --max-memory" in caplog.text
