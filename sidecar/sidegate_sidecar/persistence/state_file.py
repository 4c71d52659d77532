"""The state file: buckets that outlive the process, so that a node alone keeps them at a restart.

A file is written beside its place and renamed over the one before, so what is there is whole,
whenever the process is killed. It is read twice, once to verify all of it and once to take the
buckets, so that of a file that isn't whole nothing counts. A symbolic link is followed: what it
points to is replaced, and the link stays.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.persistence.format import (
    Reader,
    SavedReset,
    UnusableError,
    Writer,
    make_beside,
    remove_unfinished,
)
from sidegate_sidecar.persistence.moments import Moment, boot_clock, passed
from sidegate_sidecar.replication.corrections.resets import KnownReset, KnownResets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.buckets.buckets import BucketTable
    from sidegate_sidecar.persistence.format import Held, Row
    from sidegate_sidecar.persistence.moments import Passed

    T = TypeVar("T")

log = logging.getLogger("sidegate")

SAVE_EVERY = 10.0  # seconds: what a killed node forgets at most; 1,000,000 keys are 25 MB a time
SLICE: Final = 1_024  # buckets looked at in one turn of the loop: half a millisecond


class StateFile:
    """Saves the buckets of one node in a file, and loads them from it.

    `clock` is that of the buckets (ns, starts at 0, never goes back), `wall` counts ns since 1970,
    and `boot` says which boot of the machine this is and for how long (ns).
    """

    def __init__(
        self,
        path: str,
        buckets: BucketTable,
        clock: Callable[[], int],
        wall: Callable[[], int] = time.time_ns,
        boot: Callable[[], tuple[str, int]] = boot_clock,
        *,
        resets: KnownResets | None = None,
    ) -> None:
        self.failing = False  # did the last save fail?
        self._path = Path(os.path.realpath(path))
        self._buckets = buckets
        self._clock = clock
        self._wall = wall
        self._boot = boot
        self._resets = KnownResets() if resets is None else resets
        self._saving = asyncio.Lock()
        self._passed: Passed | None = None  # since what was loaded was saved

    # --- loading

    def load(self) -> int:
        """Merge what the file holds, less the time that has passed since; how many buckets.

        A debt never grows: if the wall clock went back, no time has passed; and what that clock
        was set to counts for nothing unless the machine was booted meanwhile. A file that can't be
        used counts as none: that is logged, and it is kept aside as PATH.damaged. OptionError if
        no file could be saved there. Call it before checks are served: it blocks, for 2 to 3 s with
        1,000,000 buckets.
        """
        require_place(str(self._path))
        remove_unfinished(self._path)
        try:
            rows, full = self._load()
        except FileNotFoundError:
            log.info("state file %s: none yet, starting with empty buckets", self._path)
            return 0
        except (OSError, UnusableError) as error:
            self._complain(error)
            return 0
        self._tell(rows, full)
        return rows

    def _tell(self, rows: int, full: int) -> None:
        """Log what was loaded and what wasn't, as a warning if the clocks leave a doubt."""
        since = self._passed
        if since is None:  # the file has no buckets
            log.info("state file %s: %d buckets loaded", self._path, rows)
            return
        words = "state file %s: %d buckets loaded, %d full again, %d s after they were saved%s"
        level = logging.WARNING if since.doubt else logging.INFO
        doubt = since.doubt and f"; {since.doubt}"
        log.log(level, words, self._path, rows, full, since.time // SECOND, doubt)

    def _load(self) -> tuple[int, int]:
        with self._path.open("rb") as file:
            for _ in Reader(file).groups():
                pass  # only verified: nothing of it counts before its end
            file.seek(0)
            reader = Reader(file)
            rows = self._merge(reader.groups())
            self._remember(reader)
            return rows

    def _saved_resets(self, now: int) -> list[SavedReset]:
        """Return the resets that the buckets of a file agree with."""
        keys = [SavedReset(*row) for row in self._resets.left(now)]
        return [*keys, *(SavedReset(*row, 1) for row in self._resets.left(now, begins=True))]

    def _remember(self, reader: Reader) -> None:
        """Know the resets of the file, with which its buckets agree."""
        now = self._clock()
        assert reader.saved_at is not None  # it is read
        time = passed(reader.saved_at, self._moment()).time
        for reset in reader.resets:
            if reset.left > time:
                until = now + reset.left - time
                self._resets.add(reset.number, KnownReset(reset.key, until, reset.begins == 1))
                self._resets.walked(reset.number, until)

    def _merge(self, groups: Iterable[Held]) -> tuple[int, int]:
        """Take the buckets that are still in debt; how many, and how many are full again."""
        now, moment = self._clock(), self._moment()
        rows = full = 0
        for saved_at, limit, index, keys, debts in groups:
            self._passed = passed(saved_at, moment)
            time = self._passed.time
            window = self._buckets.windows.of_limit(limit)
            if window is not None:  # nothing comes back before it ends, and then all
                time = 0 if window.enter(index, now) else 2 * window.length
            for key, debt in zip(keys, debts, strict=True):
                if debt > time:
                    self._buckets.merge(key, limit, debt - time, now)
                    rows += 1
                else:
                    full += 1
        return rows, full

    def _moment(self) -> Moment:
        return Moment(self._wall(), *self._boot())

    def _complain(self, error: Exception) -> None:
        why = str(error)
        if isinstance(error, OSError):
            why = f"it can't be read ({error.strerror}), expected a file that this user may read"
        fate = "it stays, and nothing can be saved" if self._path.is_dir() else self._set_aside()
        words = "state file %s: %s; starting with empty buckets; %s"
        log.warning(words, self._path, why, fate)

    def _set_aside(self) -> str:
        """Move the file out of the way of the next one; what became of it, in words."""
        kept = f"{self._path}.damaged"
        try:
            self._path.replace(kept)
        except OSError as error:
            return f"it can't be kept as {kept} ({error.strerror})"
        return f"it is kept as {kept}"

    # --- saving

    async def run(self) -> None:
        """Save every SAVE_EVERY seconds, for ever."""
        while True:
            await asyncio.sleep(SAVE_EVERY)
            await self.save()

    async def save(self) -> int:
        """Put the buckets in debt into the file; how many.

        0 also when that fails: the file before stays, `failing` is true, and the first failure in
        a row is logged. Saves wait for each other; one that is cancelled leaves nothing behind.
        """
        async with self._saving:
            try:
                rows = await self._save()
            except OSError as error:
                self._failed(error)
                return 0
            if self.failing:
                log.info("state file %s: saved again", self._path)
            self.failing = False
            return rows

    def _failed(self, error: OSError) -> None:
        if not self.failing:
            words = "state file %s: it can't be saved (%s); trying again every %g s"
            log.error(words, self._path, error.strerror, SAVE_EVERY)
        self.failing = True

    async def _save(self) -> int:
        now, moment = self._clock(), self._moment()  # two names of one moment
        writer = Writer(self._path)
        try:
            await _in_thread(partial(writer.begin, moment, self._saved_resets(now)))
            await self._write_to(writer, now)
            await _in_thread(writer.finish)
        finally:
            writer.discard()
        return writer.rows

    async def _write_to(self, writer: Writer, now: int) -> None:
        held: list[tuple[str, list[Row]]] = []
        count = 0
        for rows in self._buckets.export(now, SLICE):
            if rows:
                held.append((self._buckets.windows.dated(rows[0][1], now), rows))
                count += len(rows)
            if count < SLICE:  # short lists, of limits with few keys
                await asyncio.sleep(0)  # no wait, but checks go first
            else:
                await _in_thread(partial(writer.add, held))
                held, count = [], 0
        if held:
            await _in_thread(partial(writer.add, held))


async def _in_thread(work: Callable[[], T]) -> T:
    """Do the work in a thread. When cancelled, end no earlier than it: it has the file open."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


# --- places


def require_place(path: str) -> None:
    """Raise OptionError unless a file can be made beside `path`, and renamed to it."""
    there = Path(os.path.realpath(path))
    if there.is_symlink():
        raise OptionError("state-file", path, "expected a file, not a link to itself")
    if there.exists() and not (there.is_file() or there.is_dir()):
        raise OptionError("state-file", path, "expected a file, not a device, pipe or socket")
    try:
        descriptor, beside = make_beside(there)
    except OSError as error:
        why = f"expected a path in a folder that can be written to: {error.strerror}"
        raise OptionError("state-file", path, why) from None
    os.close(descriptor)
    beside.unlink()
