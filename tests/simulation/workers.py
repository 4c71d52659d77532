"""Workers: the processes that run the simulations, and the memory that they took at their worst."""

import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

MAX_WORKERS: Final = 12
"""So that all of them fit into `MAX_BYTES`, however many cores there are: 0.25 GB each."""

MAX_BYTES: Final = 4 * 10**9
"""Of all processes together: a laptop, and a small machine of a CI, have that to spare."""

_UNIT: Final = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


class Workers:
    """One process a core; `peak` is known when all results have been taken."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(min(os.cpu_count() or 1, MAX_WORKERS))
        self._peaks: dict[int, int] = {}

    @property
    def peak(self) -> int:
        """Bytes that this process and all workers took, each at its worst moment, added up.

        What a worker shares with this process is counted twice.
        """
        return _peak() + sum(self._peaks.values())

    def map(self, run: Callable[..., T], *each: Iterable[Any], chunk: int = 1) -> Iterator[T]:
        """Return the results of `run` in their order, as `map` does."""
        for result, pid, peak in self._pool.map(partial(_measured, run), *each, chunksize=chunk):
            self._peaks[pid] = peak
            yield result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def _measured(run: Callable[..., T], *given: Any) -> tuple[T, int, int]:
    return run(*given), os.getpid(), _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
