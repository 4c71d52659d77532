"""The state file: what comes back from it, where it can be, and how it is saved."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
import tempfile
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import Buckets
from sidegate.buckets.limits import Limit, parse_limits
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.persistence import state_file as statefile
from sidegate_sidecar.persistence.format import Reader
from sidegate_sidecar.persistence.state_file import SLICE, StateFile, require_place
from tests.sidecar.persistence.lives import (
    HOUR,
    SAVED_AT,
    SECOND,
    Life,
    saved,
    unfinished,
    warnings,
)
from tests.support.in_process.cluster import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

NOBODY = 65_534


# --- there and back


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
    """No debt grows when the clock on the wall says that the file is from the future."""
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
    assert 10 < len(after.buckets) < 50
    assert after.buckets.bytes <= 16 << 10


def test_nothing_in_debt_is_a_file_too(path: Path) -> None:
    """A node without debts saves that."""
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


# --- places


def test_a_folder_in_its_place_stays(path: Path, log: pytest.LogCaptureFixture) -> None:
    """A folder is not ours to move; that nothing can be saved there is said twice, in all."""
    path.mkdir()
    (path / "precious").touch()
    node = Life(path)
    assert node.file.load() == 0
    (warning,) = warnings(log)
    assert "expected a file" in warning
    assert warning.endswith("it stays, and nothing can be saved")
    assert [node.save() for _ in range(3)] == [0, 0, 0]
    assert len(warnings(log)) == 1
    assert (path / "precious").exists()
    assert unfinished(path) == []


def test_a_damaged_file_that_cannot_be_kept_is_said(
    path: Path, log: pytest.LogCaptureFixture
) -> None:
    """Where PATH.damaged can't be written, the file stays until the next save."""
    path.write_bytes(b"damaged")
    path.with_name(path.name + ".damaged").mkdir()
    assert Life(path).file.load() == 0
    (warning,) = warnings(log)
    assert f"it can't be kept as {path}.damaged (Is a directory)" in warning
    assert path.read_bytes() == b"damaged"


@contextmanager
def unprivileged() -> Generator[Path]:
    """Be a user without rights, also where tests run as root; gives a folder that all can enter."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        if root:
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


def test_a_file_without_permission_is_not_used(log: pytest.LogCaptureFixture) -> None:
    """A file that we may not read is kept aside as a damaged one is."""
    with unprivileged() as folder:
        path = folder / "state"
        path.touch(mode=0)
        assert Life(path).file.load() == 0
        (warning,) = warnings(log)
        assert "it can't be read (Permission denied), expected a file that this user may" in warning
        assert [other.name for other in folder.iterdir()] == ["state.damaged"]


def test_a_folder_that_cannot_be_written_to_is_refused() -> None:
    """Where nothing could ever be saved, the sidecar doesn't start: the option is named."""
    with unprivileged() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o555)
        with pytest.raises(OptionError, match="Permission denied") as caught:
            Life(closed / "state").file.load()
    assert caught.value.option == "state-file"
    assert caught.value.value == str(closed / "state")


def test_places_that_can_hold_no_file_are_refused(tmp_path: Path) -> None:
    """A missing folder, a file as a folder, a name that is too long, and what is no file."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for place, words in (
        ("missing/state", "expected a path in a folder that can be written to: No such file"),
        ("file/state", "can be written to: Not a directory"),
        ("n" * 250, "can be written to: File name too long"),
        ("pipe", "expected a file, not a device, pipe or socket"),
    ):
        with pytest.raises(OptionError) as caught:
            require_place(str(tmp_path / place))
        assert caught.value.option == "state-file"
        assert words in caught.value.why
    with pytest.raises(OptionError, match="not a device"):
        require_place("/dev/null")


def test_a_good_place_is_left_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at a place leaves nothing there; a bare name is in the folder that we are in."""
    monkeypatch.chdir(path.parent)
    require_place(str(path))
    require_place(path.name)
    assert list(path.parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed(path: Path) -> None:
    """Unfinished files of ours go at the next start; those of a neighbour's state file stay."""
    saved(path)
    for name in (f".{path.name}.abc_123.tmp", f".{path.name}.other.abc_123.tmp", "mine.tmp"):
        (path.parent / name).touch()
    assert Life(path).file.load() == 3
    assert sorted(unfinished(path)) == [f".{path.name}.other.abc_123.tmp", "mine.tmp"]


def test_a_symbolic_link_is_followed(path: Path, tmp_path: Path) -> None:
    """What it points to is replaced, beside its place, and the link stays; there or not yet."""
    volume = tmp_path / "volume"
    volume.mkdir()
    path.symlink_to(volume / "buckets")
    require_place(str(path))
    for _ in range(2):
        saved(path)
        assert path.is_symlink()
        assert [it.name for it in volume.iterdir()] == ["buckets"]
        assert Life(path).file.load() == 3


def test_a_link_to_itself_is_refused(path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(OptionError, match="expected a file, not a link to itself"):
        Life(path).file.load()


# --- saving


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    """Keys may be addresses or tokens of people: no one else may read them."""
    path.touch(mode=0o644)
    saved(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert unfinished(path) == []


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


class Watched(Buckets):
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
            return {key for _, _, keys, _ in Reader(file).groups() for key in keys} == wanted
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
