"""Watched: what is read from files, and read again when one of them is written or replaced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Value = TypeVar("Value")

Stamp: TypeAlias = tuple[int, int, int] | None


class Watched(Generic[Value]):
    """What `read` returns of the files at `paths`, which `look` calls again when one has changed.

    Links are followed, also those on the way: a mount of Kubernetes changes by turning a link to
    a folder. Any thread may look; there is no lock, which a fork could leave held.
    """

    def __init__(self, paths: Sequence[str], read: Callable[[], Value]) -> None:
        self._paths = paths
        self._read = read
        self._held: tuple[list[Stamp], Value] | None = None

    @property
    def value(self) -> Value | None:
        """What was read last, None before anything was."""
        return self._held[1] if self._held else None

    def look(self) -> bool:
        """Read the files if one of them isn't as it was when they were last read; was it so?

        What `read` raises is raised here; the value from before stays, and the next look reads
        again.
        """
        stamps = [stamp(path) for path in self._paths]  # first: the next look sees what comes after
        if self._held and self._held[0] == stamps:
            return False
        self._held = stamps, self._read()
        return True


def stamp(path: str) -> Stamp:
    """Return what changes when a file is written or a link to it is turned; None for no file."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):  # the latter: no path at all, which reading will say
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
