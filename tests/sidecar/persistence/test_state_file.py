"""The state file: what comes back from it, where it can be, and how it is saved."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import Limit
from sidegate_sidecar.persistence.state_file import SLICE
from tests.sidecar.persistence.lives import (
    HOUR,
    SAVED_AT,
    SECOND,
    Life,
    saved,
    unfinished,
    warnings,
)


def test_buckets_come_back(path: Path) -> None:
    """What a node knew when it saved, the next one knows, with whatever clock it has."""
    saved(path)
    after = Life(path)
    after.now = 0
    assert after.file.load() == 3
    assert after.debts() == {
        ("customer-7", "10/hour"): 4 * HOUR // 10,
        ("ключ", "7/second burst 20"): -(-9 * SECOND // 7),
        ("ключ", "10/hour"): 9 * HOUR // 10,
    }


def test_time_pays_debts_while_nobody_runs(path: Path) -> None:
    """Each debt is less by the time on the wall since the file was saved; paid ones are left."""
    saved(path)
    after = Life(path, SAVED_AT + HOUR // 2)
    assert after.file.load() == 1
    assert after.debts() == {("ключ", "10/hour"): 4 * HOUR // 10}


def test_a_clock_that_went_back_changes_nothing(path: Path) -> None:
    before = Life(path)
    before.take("k", cost=3)
    before.save()
    after = Life(path, SAVED_AT - HOUR)
    after.file.load()
    assert after.debts() == before.debts()


def test_a_wall_clock_set_forward_frees_nothing(path: Path, log: pytest.LogCaptureFixture) -> None:
    """In the same boot the time that really passed counts, and what was set is said."""
    before = Life(path, boot=("boot-1", HOUR))
    before.take("k", cost=4)
    before.save()
    log.clear()
    after = Life(path, SAVED_AT + 5 * HOUR, boot=("boot-1", HOUR + 60 * SECOND))
    assert after.file.load() == 1
    assert after.debts() == {("k", "10/hour"): 4 * HOUR // 10 - 60 * SECOND}
    (warning,) = warnings(log)
    assert "1 buckets loaded, 0 full again, 60 s after they were saved; the wall clock" in warning


@pytest.mark.parametrize(("away", "level"), [(1_800, "INFO"), (18_000, "WARNING")])
def test_what_is_dropped_is_said(
    away: int, level: str, path: Path, log: pytest.LogCaptureFixture
) -> None:
    """How many are full again and why; a warning if only the wall says that it was so long."""
    before = Life(path, boot=("boot-1", HOUR))
    before.take("much", "10/day", cost=9)
    before.take("little", cost=1)
    before.save()
    log.clear()
    after = Life(path, SAVED_AT + away * SECOND, boot=("boot-2", 5 * SECOND))
    assert after.file.load() == 1
    (record,) = log.records
    assert record.levelname == level
    assert f"1 buckets loaded, 1 full again, {away} s after they" in record.getMessage()


async def test_what_is_taken_while_saving_is_right_or_not_there(path: Path) -> None:
    """A bucket charged late in a save comes back with the debt that it had, no more."""
    before = Life(path)
    for at in range(5 * SLICE):
        before.take(f"k{at}", cost=9)
    saving = asyncio.create_task(before.file.save())
    while not unfinished(path):
        assert not saving.done()
        await asyncio.sleep(0)
    before.now += HOUR
    before.wall += HOUR
    for at in range(5 * SLICE):
        before.take(f"k{at}", cost=9)
    await saving
    after = Life(path, before.wall)
    assert after.file.load() > 0
    assert after.debts().items() <= before.debts().items()


def test_loading_merges(path: Path) -> None:
    """Of a bucket that is there already, the larger debt counts."""
    saved(path)
    node = Life(path)
    node.take("customer-7", cost=6)
    node.take("ключ", cost=1)
    node.file.load()
    assert node.debts()["customer-7", "10/hour"] == 6 * HOUR // 10
    assert node.debts()["ключ", "10/hour"] == 9 * HOUR // 10


def test_many_keys_under_many_limits_come_back(path: Path) -> None:
    """Chunks are filled from limits with many keys and from such with one."""
    before = Life(path)
    for at in range(3 * SLICE):
        before.take(f"k{at}", "100/hour", 1 + at % 50)
    for at in range(2 * SLICE):
        before.take("k", f"{1 + at}/hour")
    assert before.save() == 5 * SLICE
    after = Life(path)
    assert after.file.load() == 5 * SLICE
    assert after.debts() == before.debts()


def test_a_smaller_node_keeps_what_it_can(path: Path) -> None:
    """A file with more buckets than --max-memory has room for fills the node, and no more."""
    before = Life(path)
    for at in range(50):
        before.take(f"k{at}", cost=1 + at % 9)
    before.save()
    after = Life(path, max_memory=16 << 10)
    after.file.load()
    assert 5 < len(after.buckets) < 50
    assert after.buckets.bytes <= 16 << 10


def test_nothing_in_debt_is_a_file_too(path: Path) -> None:
    node = Life(path)
    node.take("k")
    node.now += HOUR
    assert node.save() == 0
    assert not node.is_failing()
    assert Life(path).file.load() == 0
    assert path.exists()


LIMITS = [
    Limit(10, 3_600),
    Limit(7, 1, 20),
    Limit(3, 86_400),
    Limit(10**12, 1),
    Limit(1, 31_536_000, 5),
]
ROWS = st.dictionaries(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.sampled_from(LIMITS)
    ),
    st.integers(1, 2**62),
    max_size=20,
)


@given(ROWS, st.integers(-HOUR, 400 * 24 * HOUR))
def test_no_debt_grows_and_none_is_forgiven(
    rows: dict[tuple[str, Limit], int], passed: int
) -> None:
    """After a restart each debt is between what it was, and that less the time that passed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        before = Life(path)
        for (key, limit), debt in rows.items():
            before.buckets.merge(key, limit, debt, before.now)
        asyncio.run(before.file.save())
        after = Life(path, SAVED_AT + passed)
        after.now = 3 * HOUR
        loaded = after.file.load()
    owed, owes = before.debts(), after.debts()
    assert loaded == len(owes)
    assert owes.keys() <= owed.keys()
    for bucket, debt in owed.items():
        assert debt - max(passed, 0) <= owes.get(bucket, 0) <= debt
        if passed <= 0:
            assert owes[bucket] == debt
