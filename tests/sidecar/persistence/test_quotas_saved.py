"""Quotas in the state file: what was spent in a window is spent until that ends, and no longer."""

import asyncio
from pathlib import Path

import pytest

from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.persistence.state_file import SLICE
from tests.middleware.buckets.windows.test_periods import at
from tests.sidecar.persistence.lives import HOUR, SECOND, Life

NOON = at("2026-11-30T12:00")
MIDNIGHT = at("2026-12-01T00:00")
QUOTA = "10/day window"
TOKEN = parse_limits(QUOTA).items[0].interval


def life(path: Path, wall: int) -> Life:
    """Return a node whose quotas go by the clock on the wall, as a sidecar's do."""
    node = Life(path, wall)
    node.buckets.windows.set(wall - node.now)
    return node


def spent(node: Life, text: str = QUOTA) -> int:
    """Return how much of a quota is spent."""
    limits = parse_limits(text)
    _, debts = node.buckets.take("k", limits, 0, node.now)
    return debts[0] // limits.items[0].interval


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (NOON, 4),
        (MIDNIGHT - SECOND, 4),  # eleven hours give nothing back
        (MIDNIGHT, 0),
        (MIDNIGHT + 40 * HOUR, 0),
        (NOON - HOUR, 4),
        (NOON - 24 * HOUR, 4),  # by a clock that was set back: as of the present window
    ],
)
def test_what_was_spent_is_spent_until_the_window_ends(
    path: Path, then: int, expected: int
) -> None:
    before = life(path, NOON)
    before.take("k", QUOTA, 4)
    before.take("k", "10/hour", 4)
    before.save()
    after = life(path, then)
    after.file.load()
    assert spent(after) == expected


async def test_a_save_that_lasts_beyond_midnight_tells_one_window_from_the_other(
    path: Path,
) -> None:
    """What it writes after that is of the new window, and what was spent in the old one is not."""
    node = life(path, MIDNIGHT - SECOND)
    for number in range(3 * SLICE):
        node.take(f"old{number}", QUOTA, 9)
    saving = asyncio.create_task(node.file.save())
    await asyncio.sleep(0)
    node.now += 2 * SECOND
    node.wall += 2 * SECOND
    node.take("k", QUOTA, 3)
    assert await saving <= 3 * SLICE
    after = life(path, MIDNIGHT + HOUR)
    after.file.load()
    owing = {debt // TOKEN for debt in after.debts().values()}
    assert owing <= {3}


def test_a_wrong_clock_before_a_restart_locks_nobody_out_after_it(path: Path) -> None:
    """A clock that was a month ahead while it was saved, and is right now: 4 of 10 are spent."""
    before = life(path, NOON + 30 * 24 * HOUR)
    before.take("k", QUOTA, 4)
    before.wall = NOON
    before.buckets.windows.set(NOON - before.now)
    before.save()
    after = life(path, NOON)
    after.file.load()
    assert spent(after) == 4
