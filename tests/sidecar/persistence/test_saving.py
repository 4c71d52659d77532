"""Saving: one that fails keeps the file before, and none keeps checks waiting."""

import asyncio
import resource
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limit, parse_limits
from sidegate_sidecar.persistence import state_file as statefile
from sidegate_sidecar.persistence.format import Reader
from sidegate_sidecar.persistence.state_file import SLICE, StateFile
from tests.sidecar.persistence.lives import Life, saved, unfinished, warnings
from tests.support.in_process.cluster import eventually


@contextmanager
def full_disk() -> Generator[None]:
    """Let no file of this process grow beyond a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_save_that_fails_keeps_the_file_before(path: Path, log: pytest.LogCaptureFixture) -> None:
    """One error however often it fails, the old file stays, and all is well when it can be."""
    good = saved(path)
    node = Life(path)
    for at in range(2 * SLICE):
        node.take(f"k{at}")
    with full_disk():
        assert [node.save() for _ in range(3)] == [0, 0, 0]
    assert [record.levelname for record in log.records] == ["ERROR"]
    (warning,) = warnings(log)
    assert f"state file {path}: it can't be saved (File too large); trying again" in warning
    assert node.is_failing()
    assert path.read_bytes() == good
    assert unfinished(path) == []
    assert node.save() == 2 * SLICE
    assert not node.is_failing()
    with full_disk():
        node.save()
    assert len(warnings(log)) == 1


def test_a_save_that_fails_at_its_very_end_leaves_nothing(path: Path) -> None:
    """Few buckets go to the disk only when the file is closed, which may fail as well."""
    good = saved(path)
    node = Life(path)
    for at in range(20):
        node.take(f"k{at}")
    with full_disk():
        assert node.save() == 0
    assert path.read_bytes() == good
    assert unfinished(path) == []


def test_a_folder_that_goes_away_stops_no_one(path: Path, log: pytest.LogCaptureFixture) -> None:
    """A failure to begin is one as well, and a save works again when the folder is back."""
    folder = path.parent / "volume"
    node = Life(folder / "state")
    node.take("k")
    assert node.save() == 0
    assert len(warnings(log)) == 1
    folder.mkdir()
    assert node.save() == 1


async def test_saves_wait_for_each_other(path: Path) -> None:
    """Several at once are done one after the other, each with what was charged before it began."""
    node = Life(path)
    under_way: list[list[str]] = []

    def clock() -> int:
        under_way.append(unfinished(path))
        node.take(f"late{len(under_way)}")
        return node.now

    for at in range(2 * SLICE):
        node.take(f"k{at}")
    file = StateFile(str(path), node.buckets, clock, lambda: node.wall)
    counts = await asyncio.gather(*(file.save() for _ in range(3)))
    assert under_way == [[], [], []]
    assert counts == [2 * SLICE + 1, 2 * SLICE + 2, 2 * SLICE + 3]
    assert Life(path).file.load() == 2 * SLICE + 3


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_save_leaves_nothing_to_the_next(turns: int, path: Path) -> None:
    """Wherever a save is when its task is cancelled, the one at exit writes a whole file."""
    node = Life(path)
    for at in range(3 * SLICE):
        node.take(f"k{at}")
    saving = asyncio.create_task(node.file.save())
    for _ in range(turns):
        await asyncio.sleep(0)
    saving.cancel()
    last = await node.file.save()
    with suppress(asyncio.CancelledError):
        await saving
    assert last == 3 * SLICE
    assert unfinished(path) == []
    assert Life(path).file.load() == 3 * SLICE


class Watched(BucketTable):
    """Buckets that note in which turn of the loop each list of them is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0
        self.asked: list[int] = []

    def export(self, now: int, most: int = SLICE) -> Iterator[list[tuple[str, Limit, int]]]:
        """Give all buckets, and note when."""
        for rows in super().export(now, most):
            self.asked.append(self.turn)
            yield rows


async def test_a_save_gives_way(path: Path) -> None:
    """Others get their turn after each list, be it of many buckets or of one."""
    buckets = Watched()
    for at in range(10 * SLICE):
        buckets.take(f"k{at}", parse_limits("10/hour"), 1, 0)
    for at in range(20):
        buckets.take("k", parse_limits(f"{1 + at}/day"), 1, 0)
    saving = asyncio.create_task(StateFile(str(path), buckets, lambda: 0).save())
    while not saving.done():
        buckets.turn += 1
        await asyncio.sleep(0)
    assert saving.result() == 10 * SLICE + 20
    assert len(buckets.asked) >= 30
    assert len(set(buckets.asked)) == len(buckets.asked)


def are_in(path: Path, wanted: set[str]) -> bool:
    """Are these the keys in the file, which may be replaced meanwhile?"""
    try:
        with path.open("rb") as file:
            return {key for *_, keys, _ in Reader(file).groups() for key in keys} == wanted
    except FileNotFoundError:
        return False


async def test_it_is_saved_again_and_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` saves every SAVE_EVERY seconds, with what was charged since."""
    monkeypatch.setattr(statefile, "SAVE_EVERY", 0.01)
    node = Life(path)
    running = asyncio.create_task(node.file.run())
    try:
        for keys in ({"one"}, {"one", "two"}, {"one", "two", "three"}):
            for key in keys:
                node.take(key)
            await eventually(partial(are_in, path, keys))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert unfinished(path) == []
